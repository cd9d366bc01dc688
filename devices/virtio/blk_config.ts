import { isPowerOfTwo } from "../../vm/bits.ts";
import { type BlockBackend, SECTOR_SIZE } from "../block_backend.ts";
import { RANGE_SECTORS_MAX, RANGES_MAX } from "./blk_ranges.ts";
import { type ConfigField, ConfigSpace, type ConfigWriteListener } from "./config.ts";
import { featureBit, FeatureSet, featureSet } from "./feature_set.ts";
import type { FeatureSwitch, SwitchesOf } from "./offered.ts";
import { splitSizeMax } from "./queue.ts";

/** DeviceID of block devices (virtio 1.2 §5.2.1). */
export const BLK_ID = 2;

/** Names of the features of a block device that can be switched. */
export type BlkSwitchName =
  | "size_max"
  | "seg_max"
  | "geometry"
  | "blk_size"
  | "flush"
  | "topology"
  | "config_wce"
  | "mq"
  | "discard"
  | "write_zeroes"
  | "lifetime"
  | "secure_erase";

/** The block device's feature bits by their names without the prefix (virtio 1.2 §5.2.3). */
export const BLK_F: Readonly<Record<Uppercase<BlkSwitchName> | "RO", number>> = {
  SIZE_MAX: featureBit(BLK_ID, "VIRTIO_BLK_F_SIZE_MAX"),
  SEG_MAX: featureBit(BLK_ID, "VIRTIO_BLK_F_SEG_MAX"),
  GEOMETRY: featureBit(BLK_ID, "VIRTIO_BLK_F_GEOMETRY"),
  RO: featureBit(BLK_ID, "VIRTIO_BLK_F_RO"),
  BLK_SIZE: featureBit(BLK_ID, "VIRTIO_BLK_F_BLK_SIZE"),
  FLUSH: featureBit(BLK_ID, "VIRTIO_BLK_F_FLUSH"),
  TOPOLOGY: featureBit(BLK_ID, "VIRTIO_BLK_F_TOPOLOGY"),
  CONFIG_WCE: featureBit(BLK_ID, "VIRTIO_BLK_F_CONFIG_WCE"),
  MQ: featureBit(BLK_ID, "VIRTIO_BLK_F_MQ"),
  DISCARD: featureBit(BLK_ID, "VIRTIO_BLK_F_DISCARD"),
  WRITE_ZEROES: featureBit(BLK_ID, "VIRTIO_BLK_F_WRITE_ZEROES"),
  LIFETIME: featureBit(BLK_ID, "VIRTIO_BLK_F_LIFETIME"),
  SECURE_ERASE: featureBit(BLK_ID, "VIRTIO_BLK_F_SECURE_ERASE"),
};

/** Every feature of a block device that can be switched; RO goes with the backend. */
export const blkSwitches: readonly FeatureSwitch<BlkSwitchName>[] = [
  { name: "size_max", feature: "VIRTIO_BLK_F_SIZE_MAX", default: false, what: "a limit for the size of a segment" },
  { name: "seg_max", feature: "VIRTIO_BLK_F_SEG_MAX", default: true, what: "a limit for the segments of a request" },
  { name: "geometry", feature: "VIRTIO_BLK_F_GEOMETRY", default: true, what: "cylinders, heads and sectors" },
  { name: "blk_size", feature: "VIRTIO_BLK_F_BLK_SIZE", default: true, what: "the block size" },
  { name: "flush", feature: "VIRTIO_BLK_F_FLUSH", default: true, what: "FLUSH requests" },
  { name: "topology", feature: "VIRTIO_BLK_F_TOPOLOGY", default: true, what: "the best sizes and alignments" },
  {
    name: "config_wce",
    feature: "VIRTIO_BLK_F_CONFIG_WCE",
    default: true,
    what: "writeback and writethrough by the driver's choice; needs flush",
  },
  { name: "mq", feature: "VIRTIO_BLK_F_MQ", default: false, what: "several request queues; on with num-queues" },
  { name: "discard", feature: "VIRTIO_BLK_F_DISCARD", default: false, what: "DISCARD requests" },
  {
    name: "write_zeroes",
    feature: "VIRTIO_BLK_F_WRITE_ZEROES",
    default: false,
    what: "WRITE_ZEROES requests; on with discard",
  },
  { name: "lifetime", feature: "VIRTIO_BLK_F_LIFETIME", default: false, what: "GET_LIFETIME requests; on with wear" },
  { name: "secure_erase", feature: "VIRTIO_BLK_F_SECURE_ERASE", default: false, what: "SECURE_ERASE requests" },
];

/** What GET_LIFETIME tells (virtio 1.2 §5.2.6, JESD84-B50). */
export interface BlkLifetime {
  /** Reserved blocks consumed: 1 below 80 %, 2 from 80 %, 3 from 90 %; 0 is undefined. */
  readonly preEolInfo: number;
  /** Wear of SLC cells in steps of 10 %, 1 to 10; 11 is beyond the estimate, 0 undefined. */
  readonly typA: number;
  /** Wear of MLC cells, likewise. */
  readonly typB: number;
}

/** How a block device is built. */
export interface BlkOptions {
  /** Where the blocks are. */
  readonly backend: BlockBackend;
  /** What GET_ID returns: at most 20 bytes of ASCII. */
  readonly serial?: string;
  /** QueueNumMax of its queues; default 256. */
  readonly queueSize?: number;
  /** Request queues, 1 to 64; default 1. */
  readonly queues?: number;
  /** Features to offer or not, where it is not the default. DISCARD and its kin need a backend that can be written. */
  readonly features?: SwitchesOf<BlkSwitchName>;
  /** The storage's wear; default: new. */
  readonly lifetime?: BlkLifetime;
  /** `seg_max`; default: what the queue has room for. */
  readonly segMax?: number;
  /** `size_max` in bytes; default 64 KiB. */
  readonly sizeMax?: number;
  /** `blk_size` in bytes, a power of two from 512 on; default 512. */
  readonly blockSize?: number;
  /** Size of a physical block in bytes, a power of two from `blockSize` on; default `blockSize`. */
  readonly physicalBlockSize?: number;
}

/** Most request queues of a device. */
export const BLK_QUEUES_MAX = 64;

/** QueueNumMax unless said otherwise. */
export const QUEUE_SIZE = 256;

/** `size_max` unless said otherwise, in bytes. */
const SIZE_MAX = 65536;

/** The geometry that tools make up for disks that have none. */
const HEADS = 16;
const SECTORS = 63;

/** struct virtio_blk_config without its zones (virtio 1.2 §5.2.4, num_queues as in 1.4). */
const FIELDS: readonly ConfigField[] = [
  { name: "capacity", offset: 0, size: 8 },
  { name: "size_max", offset: 8, size: 4, feature: BLK_F.SIZE_MAX },
  { name: "seg_max", offset: 12, size: 4, feature: BLK_F.SEG_MAX },
  { name: "geometry.cylinders", offset: 16, size: 2, feature: BLK_F.GEOMETRY },
  { name: "geometry.heads", offset: 18, size: 1, feature: BLK_F.GEOMETRY },
  { name: "geometry.sectors", offset: 19, size: 1, feature: BLK_F.GEOMETRY },
  { name: "blk_size", offset: 20, size: 4, feature: BLK_F.BLK_SIZE },
  { name: "topology.physical_block_exp", offset: 24, size: 1, feature: BLK_F.TOPOLOGY },
  { name: "topology.alignment_offset", offset: 25, size: 1, feature: BLK_F.TOPOLOGY },
  { name: "topology.min_io_size", offset: 26, size: 2, feature: BLK_F.TOPOLOGY },
  { name: "topology.opt_io_size", offset: 28, size: 4, feature: BLK_F.TOPOLOGY },
  { name: "writeback", offset: 32, size: 1, feature: BLK_F.CONFIG_WCE, writable: true },
  // §5.2.5.2: padding reads 0, here and in unused1.
  { name: "unused0", offset: 33, size: 1 },
  { name: "num_queues", offset: 34, size: 2, feature: BLK_F.MQ },
  { name: "max_discard_sectors", offset: 36, size: 4, feature: BLK_F.DISCARD },
  { name: "max_discard_seg", offset: 40, size: 4, feature: BLK_F.DISCARD },
  { name: "discard_sector_alignment", offset: 44, size: 4, feature: BLK_F.DISCARD },
  { name: "max_write_zeroes_sectors", offset: 48, size: 4, feature: BLK_F.WRITE_ZEROES },
  { name: "max_write_zeroes_seg", offset: 52, size: 4, feature: BLK_F.WRITE_ZEROES },
  { name: "write_zeroes_may_unmap", offset: 56, size: 1, feature: BLK_F.WRITE_ZEROES },
  { name: "unused1[0]", offset: 57, size: 1 },
  { name: "unused1[1]", offset: 58, size: 1 },
  { name: "unused1[2]", offset: 59, size: 1 },
  { name: "max_secure_erase_sectors", offset: 60, size: 4, feature: BLK_F.SECURE_ERASE },
  { name: "max_secure_erase_seg", offset: 64, size: 4, feature: BLK_F.SECURE_ERASE },
  { name: "secure_erase_sector_alignment", offset: 68, size: 4, feature: BLK_F.SECURE_ERASE },
];

/**
 * The features of a block device.
 *
 * @throws if CONFIG_WCE is to be offered without FLUSH
 */
export function blkFeatures(options: BlkOptions): FeatureSet {
  const { backend, features: asked = {}, queues = 1 } = options;
  const flush = asked.flush ?? true;
  const wanted: Record<BlkSwitchName, boolean> = {
    ...Object.fromEntries(blkSwitches.map((row) => [row.name, row.default])) as Record<BlkSwitchName, boolean>,
    config_wce: flush,
    mq: queues > 1,
    write_zeroes: asked.discard ?? false,
    lifetime: options.lifetime !== undefined,
    ...asked,
  };
  // §5.2.5.2.
  if (wanted.config_wce && !flush) throw new RangeError("virtio blk: config_wce needs flush");
  const features = featureSet(BLK_ID, ...blkSwitches.filter((row) => wanted[row.name]).map((row) => row.feature));
  if (!backend.readOnly) return features;
  const writing: readonly number[] = [BLK_F.DISCARD, BLK_F.WRITE_ZEROES, BLK_F.SECURE_ERASE];
  return new FeatureSet([BLK_F.RO, ...features.bits().filter((bit) => !writing.includes(bit))]);
}

/**
 * The configuration space of a block device that offers `features`, without its capacity.
 *
 * @throws if a size is not what a disk can have
 */
export function blkConfig(options: BlkOptions, features: FeatureSet, onWrite: ConfigWriteListener): ConfigSpace {
  const { backend, queueSize = QUEUE_SIZE, queues = 1, blockSize = SECTOR_SIZE } = options;
  const { physicalBlockSize = blockSize, sizeMax = SIZE_MAX } = options;
  const steps = Math.log2(physicalBlockSize / blockSize);
  if (!isPowerOfTwo(blockSize) || blockSize < SECTOR_SIZE || backend.sizeBytes % blockSize !== 0) {
    const what = `a power of two from ${SECTOR_SIZE} on that divides the size of ${backend.sizeBytes} bytes`;
    throw new RangeError(`virtio blk: block size of ${blockSize} bytes, expected ${what}`);
  }
  if (!Number.isInteger(steps) || steps < 0) {
    throw new RangeError(`virtio blk: physical block of ${physicalBlockSize} bytes, expected 2^n blocks`);
  }
  const config = new ConfigSpace(FIELDS, onWrite);
  const set = (feature: number, values: Readonly<Record<string, number>>): void => {
    if (features.has(feature)) { for (const [name, value] of Object.entries(values)) config.set(name, value); }
  };
  set(BLK_F.SIZE_MAX, { size_max: sizeMax });
  // The header and the status byte take a descriptor each of the longest chain (§2.7.5.3.1).
  set(BLK_F.SEG_MAX, { seg_max: options.segMax ?? Math.max(1, splitSizeMax(queueSize) - 2) });
  set(BLK_F.GEOMETRY, { "geometry.heads": HEADS, "geometry.sectors": SECTORS });
  set(BLK_F.BLK_SIZE, { blk_size: blockSize });
  set(BLK_F.TOPOLOGY, { "topology.physical_block_exp": steps, "topology.min_io_size": 2 ** steps });
  set(BLK_F.MQ, { num_queues: queues });
  set(BLK_F.DISCARD, {
    max_discard_sectors: RANGE_SECTORS_MAX,
    max_discard_seg: RANGES_MAX,
    discard_sector_alignment: blockSize / SECTOR_SIZE,
  });
  set(BLK_F.WRITE_ZEROES, {
    max_write_zeroes_sectors: RANGE_SECTORS_MAX,
    max_write_zeroes_seg: RANGES_MAX,
    // §5.2.6.2: set if and only if WRITE_ZEROES can deallocate.
    write_zeroes_may_unmap: backend.discard === undefined ? 0 : 1,
  });
  set(BLK_F.SECURE_ERASE, {
    max_secure_erase_sectors: RANGE_SECTORS_MAX,
    max_secure_erase_seg: RANGES_MAX,
    secure_erase_sector_alignment: blockSize / SECTOR_SIZE,
  });
  return config;
}

/** Sets what depends on the size of the disk, `sizeBytes`. */
export function setCapacity(config: ConfigSpace, features: FeatureSet, sizeBytes: number): void {
  const capacity = sizeBytes / SECTOR_SIZE;
  config.set("capacity", capacity);
  if (!features.has(BLK_F.GEOMETRY)) return;
  config.set("geometry.cylinders", Math.min(0xffff, Math.floor(capacity / (HEADS * SECTORS))));
}
