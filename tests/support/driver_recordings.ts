/**
 * What existing drivers do at the register file, in their own order. The sequences were recorded from (U-Boot 2023.01,
 * xv6-riscv f5b93ef) or read in (Linux, rcore-os/virtio-drivers 9742c44) these drivers, on a disk of 2048 sectors.
 * `R044=0` reads and expects, `W070=1` writes, `c` is a configuration byte access.
 */

/** One driver's way from probe to DRIVER_OK. */
export interface Recording {
  readonly version: 1 | 2;
  /** Up to DRIVER_OK; `DESC`, `AVAIL`, `USED` and `PFN` stand for where the test puts the queue. */
  readonly trace: string;
  readonly queueSize: number;
  /** Ids of the violations it must cause. */
  readonly violations: readonly string[];
}

const probe = (version: 1 | 2): string => `R000=74726976 R004=${version} R008=2 R00c=554d4551`;
const areas = "W080=DESC W084=0 W090=AVAIL W094=0 W0a0=USED W0a4=0 W044=1";
const bytes = `c100=0 c101=8 ${[2, 3, 4, 5, 6, 7].map((i) => `c10${i}=0`).join(" ")}`;

// Offered by the disk: 0xe54 is SEG_MAX, GEOMETRY, BLK_SIZE, FLUSH, TOPOLOGY and CONFIG_WCE; 0x30000000 is INDIRECT_DESC
// and EVENT_IDX, to which version 1 adds 0x09000000, NOTIFY_ON_EMPTY and ANY_LAYOUT.
/** By driver. */
export const RECORDINGS: Readonly<Record<string, Recording>> = {
  "Linux, modern": {
    version: 2,
    queueSize: 256,
    trace: `${probe(2)} W070=0 R070=0 W070=1 R070=1 W070=3 W014=1 R010=1 W014=0 R010=30000e54
      W024=1 W020=1 W024=0 W020=30000e54 R070=3 W070=b R070=b R10c=fe
      W030=0 R044=0 R034=100 W038=100 ${areas} R0fc=0 R100=800 R104=0 R0fc=0 R070=b W070=f R070=f`,
    violations: [],
  },
  "Linux, legacy": {
    version: 1,
    queueSize: 256,
    trace: `${probe(1)} W028=1000 W070=0 R070=0 W070=1 R070=1 W070=3 W014=1 R010=0 W014=0 R010=39000e54
      W024=1 W020=0 W024=0 W020=30000e54 W030=0 R040=0 R034=100 W038=100 W03c=1000 W040=PFN ${bytes} R070=3 W070=7`,
    violations: [],
  },
  "Linux, modern, unbound and bound again": {
    version: 2,
    queueSize: 256,
    trace: `W070=0 W070=1 W070=3 W024=1 W020=1 W024=0 W020=0 W070=b R070=b W030=0 W038=100 ${areas} W070=f
      W070=0 W030=0 W044=0 R044=0 R070=0 W070=1
      R070=1 W070=3 W024=1 W020=1 W024=0 W020=0 W070=b R070=b W030=0 R044=0 R034=100 W038=100 ${areas} W070=f`,
    violations: [],
  },
  "U-Boot 2023.01, modern": {
    version: 2,
    queueSize: 256,
    trace: `${
      probe(2)
    } R070=0 W070=1 W070=0 R070=0 W070=2 W014=1 R010=1 W014=0 R010=30000e54 W024=1 W020=1 W024=0 W020=0
      R070=2 W070=a R070=a W030=0 R044=0 R034=100 W038=100 ${areas} R0fc=0 R100=800 R104=0 R0fc=0 R070=a W070=e`,
    violations: ["status-order"],
  },
  "U-Boot 2023.01, legacy": {
    version: 1,
    queueSize: 256,
    trace: `${probe(1)} W028=1000 R070=0 W070=1 W070=0 R070=0 W070=2 W014=1 R010=0 W014=0 R010=39000e54
      W024=1 W020=0 W024=0 W020=0 W030=0 R040=0 R034=100 W038=100 W03c=1000 W040=PFN ${bytes} R070=2 W070=6`,
    violations: ["status-order"],
  },
  "xv6-riscv": {
    version: 2,
    queueSize: 8,
    trace: `${probe(2)} W070=0 W070=1 W070=3 R010=30000e54 W020=654 W070=b R070=b W030=0 R044=0 R034=100 W038=8
      ${areas} W070=f`,
    violations: ["feature-version-1"],
  },
  "rcore virtio-drivers, modern": {
    version: 2,
    queueSize: 16,
    trace: `R000=74726976 R008=2 R004=2 W070=0 W070=3 W014=0 R010=30000e54 W014=1 R010=1 W024=0 W020=30000200 W024=1
      W020=1 W070=b W030=0 R044=0 W030=0 R034=100 W030=0 W038=10 ${areas} R0fc=0 R100=800 R104=0 R0fc=0 W070=f`,
    violations: ["status-order"],
  },
  "rcore virtio-drivers, legacy": {
    version: 1,
    queueSize: 16,
    trace: `R000=74726976 R008=2 R004=1 W070=0 W070=3 W014=0 R010=39000e54 W014=1 R010=0 W024=0 W020=30000200 W024=1
      W020=0 W070=b W028=1000 W030=0 R040=0 W030=0 R034=100 W030=0 W038=10 W03c=1000 W040=PFN W070=f`,
    violations: ["status-order", "status-features-ok-legacy"],
  },
};
