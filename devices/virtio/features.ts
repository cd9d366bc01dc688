/**
 * Device types and feature bits of virtio, once: devices offer by this table, traces and the checker name bits by it,
 * and `guest/generated/virtio_features.h` is generated from it. Names are the specification's (virtio 1.2; later bits
 * carry the version that brought them).
 */

/** The version of the specification that brought something; `ringside` marks what is ours alone. */
export type VirtioVersion = "legacy" | "1.0" | "1.1" | "1.2" | "1.3" | "1.4" | "ringside";

/** One feature bit. */
export interface FeatureDef {
  /** The specification's name, e.g. `VIRTIO_BLK_F_RO`. */
  readonly name: string;
  readonly bit: number;
  readonly since: VirtioVersion;
  /** Where it is defined: the section in virtio 1.2, or in `since` if that is later. */
  readonly section: string;
  /** Defined for the legacy interface only: a modern device must not offer it. */
  readonly legacyOnly?: boolean;
  /** Features this one requires (§2.2.1): every inner list needs at least one of its names. */
  readonly requires?: readonly (readonly string[])[];
  /** Transports that may offer it; absent means all. */
  readonly transports?: readonly ("mmio" | "pci" | "ccw")[];
}

/** One device type. */
export interface DeviceTypeDef {
  readonly id: number;
  /** The specification's wording (§5). */
  readonly name: string;
  /** Short name: `--device` on the command line, `VIRTIO_ID_NAME` in C, and the middle of the feature names. */
  readonly short: string;
  readonly since: VirtioVersion;
  /** Section of virtio 1.2 that specifies it; absent where no text exists. */
  readonly section?: string;
  readonly features: readonly FeatureDef[];
}

type Extra = Pick<FeatureDef, "legacyOnly" | "requires" | "transports">;

function f(name: string, bit: number, since: VirtioVersion, section: string, extra: Extra = {}): FeatureDef {
  return { name, bit, since, section, ...extra };
}

function oneOf(...names: string[]): Extra {
  return { requires: [names] };
}

function allOf(...names: string[]): Extra {
  return { requires: names.map((name) => [name]) };
}

const pciOnly: Extra = { transports: ["pci"] };
const legacyOnly: Extra = { legacyOnly: true };

/** Feature bits that do not depend on the device type (virtio 1.2 §6, legacy §6.3). */
export const reservedFeatures: readonly FeatureDef[] = [
  f("VIRTIO_F_NOTIFY_ON_EMPTY", 24, "legacy", "§6.3", legacyOnly),
  f("VIRTIO_F_ANY_LAYOUT", 27, "legacy", "§6.3", legacyOnly),
  f("VIRTIO_F_INDIRECT_DESC", 28, "1.0", "§6"),
  f("VIRTIO_F_EVENT_IDX", 29, "1.0", "§6"),
  // QEMU once used it to find drivers that accept everything; never to be accepted.
  f("VIRTIO_F_BAD_FEATURE", 30, "legacy", "§6.3", legacyOnly),
  f("VIRTIO_F_VERSION_1", 32, "1.0", "§6"),
  f("VIRTIO_F_ACCESS_PLATFORM", 33, "1.1", "§6"),
  f("VIRTIO_F_RING_PACKED", 34, "1.1", "§6"),
  f("VIRTIO_F_IN_ORDER", 35, "1.1", "§6"),
  f("VIRTIO_F_ORDER_PLATFORM", 36, "1.1", "§6"),
  f("VIRTIO_F_SR_IOV", 37, "1.1", "§6", pciOnly),
  f("VIRTIO_F_NOTIFICATION_DATA", 38, "1.1", "§6"),
  f("VIRTIO_F_NOTIF_CONFIG_DATA", 39, "1.2", "§6", pciOnly),
  f("VIRTIO_F_RING_RESET", 40, "1.2", "§6"),
  // Bit 41 is also VIRTIO_NET_F_GUEST_RSC4; only PCI devices may mean this one.
  f("VIRTIO_F_ADMIN_VQ", 41, "1.3", "§6", pciOnly),
  f("VIRTIO_F_SUSPEND", 43, "1.4", "§6"),
];

const csum = allOf("VIRTIO_NET_F_CSUM");
const guestCsum = allOf("VIRTIO_NET_F_GUEST_CSUM");
const ctrlVq = allOf("VIRTIO_NET_F_CTRL_VQ");

const netFeatures: readonly FeatureDef[] = [
  f("VIRTIO_NET_F_CSUM", 0, "1.0", "§5.1.3"),
  f("VIRTIO_NET_F_GUEST_CSUM", 1, "1.0", "§5.1.3"),
  f("VIRTIO_NET_F_CTRL_GUEST_OFFLOADS", 2, "1.0", "§5.1.3"),
  f("VIRTIO_NET_F_MTU", 3, "1.1", "§5.1.3"),
  f("VIRTIO_NET_F_MAC", 5, "1.0", "§5.1.3"),
  f("VIRTIO_NET_F_GSO", 6, "legacy", "§5.1.3.2", legacyOnly),
  f("VIRTIO_NET_F_GUEST_TSO4", 7, "1.0", "§5.1.3", guestCsum),
  f("VIRTIO_NET_F_GUEST_TSO6", 8, "1.0", "§5.1.3", guestCsum),
  f("VIRTIO_NET_F_GUEST_ECN", 9, "1.0", "§5.1.3", oneOf("VIRTIO_NET_F_GUEST_TSO4", "VIRTIO_NET_F_GUEST_TSO6")),
  f("VIRTIO_NET_F_GUEST_UFO", 10, "1.0", "§5.1.3", guestCsum),
  f("VIRTIO_NET_F_HOST_TSO4", 11, "1.0", "§5.1.3", csum),
  f("VIRTIO_NET_F_HOST_TSO6", 12, "1.0", "§5.1.3", csum),
  f("VIRTIO_NET_F_HOST_ECN", 13, "1.0", "§5.1.3", oneOf("VIRTIO_NET_F_HOST_TSO4", "VIRTIO_NET_F_HOST_TSO6")),
  f("VIRTIO_NET_F_HOST_UFO", 14, "1.0", "§5.1.3", csum),
  f("VIRTIO_NET_F_MRG_RXBUF", 15, "1.0", "§5.1.3"),
  f("VIRTIO_NET_F_STATUS", 16, "1.0", "§5.1.3"),
  f("VIRTIO_NET_F_CTRL_VQ", 17, "1.0", "§5.1.3"),
  f("VIRTIO_NET_F_CTRL_RX", 18, "1.0", "§5.1.3", ctrlVq),
  f("VIRTIO_NET_F_CTRL_VLAN", 19, "1.0", "§5.1.3", ctrlVq),
  f("VIRTIO_NET_F_CTRL_RX_EXTRA", 20, "1.3", "§5.1.3"),
  f("VIRTIO_NET_F_GUEST_ANNOUNCE", 21, "1.0", "§5.1.3", ctrlVq),
  f("VIRTIO_NET_F_MQ", 22, "1.0", "§5.1.3", ctrlVq),
  f("VIRTIO_NET_F_CTRL_MAC_ADDR", 23, "1.0", "§5.1.3", ctrlVq),
  // Never in use by a modern driver; 1.4 lists bits 41 and 42 among the device type's own.
  f("VIRTIO_NET_F_GUEST_RSC4", 41, "1.1", "§5.1.3.2", legacyOnly),
  f("VIRTIO_NET_F_GUEST_RSC6", 42, "1.1", "§5.1.3.2", legacyOnly),
  f("VIRTIO_NET_F_DEVICE_STATS", 50, "1.4", "§5.1.3"),
  f("VIRTIO_NET_F_HASH_TUNNEL", 51, "1.3", "§5.1.3", {
    requires: [["VIRTIO_NET_F_CTRL_VQ"], ["VIRTIO_NET_F_RSS", "VIRTIO_NET_F_HASH_REPORT"]],
  }),
  f("VIRTIO_NET_F_VQ_NOTF_COAL", 52, "1.3", "§5.1.3", ctrlVq),
  f("VIRTIO_NET_F_NOTF_COAL", 53, "1.3", "§5.1.3", ctrlVq),
  f("VIRTIO_NET_F_GUEST_USO4", 54, "1.3", "§5.1.3", guestCsum),
  f("VIRTIO_NET_F_GUEST_USO6", 55, "1.3", "§5.1.3", guestCsum),
  f("VIRTIO_NET_F_HOST_USO", 56, "1.2", "§5.1.3", csum),
  f("VIRTIO_NET_F_HASH_REPORT", 57, "1.2", "§5.1.3"),
  f("VIRTIO_NET_F_GUEST_HDRLEN", 59, "1.2", "§5.1.3"),
  f("VIRTIO_NET_F_RSS", 60, "1.2", "§5.1.3", ctrlVq),
  f("VIRTIO_NET_F_RSC_EXT", 61, "1.1", "§5.1.3", oneOf("VIRTIO_NET_F_HOST_TSO4", "VIRTIO_NET_F_HOST_TSO6")),
  f("VIRTIO_NET_F_STANDBY", 62, "1.1", "§5.1.3"),
  f("VIRTIO_NET_F_SPEED_DUPLEX", 63, "1.2", "§5.1.3"),
  f("VIRTIO_NET_F_RSS_CONTEXT", 64, "1.4", "§5.1.3", allOf("VIRTIO_NET_F_CTRL_VQ", "VIRTIO_NET_F_RSS")),
  f(
    "VIRTIO_NET_F_GUEST_UDP_TUNNEL_GSO",
    65,
    "1.4",
    "§5.1.3",
    allOf(
      "VIRTIO_NET_F_GUEST_TSO4",
      "VIRTIO_NET_F_GUEST_TSO6",
      "VIRTIO_NET_F_GUEST_USO4",
      "VIRTIO_NET_F_GUEST_USO6",
    ),
  ),
  f("VIRTIO_NET_F_GUEST_UDP_TUNNEL_GSO_CSUM", 66, "1.4", "§5.1.3", allOf("VIRTIO_NET_F_GUEST_UDP_TUNNEL_GSO")),
  f(
    "VIRTIO_NET_F_HOST_UDP_TUNNEL_GSO",
    67,
    "1.4",
    "§5.1.3",
    allOf("VIRTIO_NET_F_HOST_TSO4", "VIRTIO_NET_F_HOST_TSO6", "VIRTIO_NET_F_HOST_USO"),
  ),
  f("VIRTIO_NET_F_HOST_UDP_TUNNEL_GSO_CSUM", 68, "1.4", "§5.1.3", allOf("VIRTIO_NET_F_HOST_UDP_TUNNEL_GSO")),
  f("VIRTIO_NET_F_OUT_NET_HEADER", 69, "1.4", "§5.1.3"),
  f("VIRTIO_NET_F_IPSEC", 70, "1.4", "§5.1.3"),
];

const blkFeatures: readonly FeatureDef[] = [
  f("VIRTIO_BLK_F_BARRIER", 0, "legacy", "§5.2.3.1", legacyOnly),
  f("VIRTIO_BLK_F_SIZE_MAX", 1, "1.0", "§5.2.3"),
  f("VIRTIO_BLK_F_SEG_MAX", 2, "1.0", "§5.2.3"),
  f("VIRTIO_BLK_F_GEOMETRY", 4, "1.0", "§5.2.3"),
  f("VIRTIO_BLK_F_RO", 5, "1.0", "§5.2.3"),
  f("VIRTIO_BLK_F_BLK_SIZE", 6, "1.0", "§5.2.3"),
  f("VIRTIO_BLK_F_SCSI", 7, "legacy", "§5.2.3.1", legacyOnly),
  f("VIRTIO_BLK_F_FLUSH", 9, "1.0", "§5.2.3"),
  f("VIRTIO_BLK_F_TOPOLOGY", 10, "1.0", "§5.2.3"),
  // A device that offers it must offer FLUSH too (§5.2.5.2); a driver may take it alone.
  f("VIRTIO_BLK_F_CONFIG_WCE", 11, "1.0", "§5.2.3"),
  f("VIRTIO_BLK_F_MQ", 12, "1.2", "§5.2.3"),
  f("VIRTIO_BLK_F_DISCARD", 13, "1.1", "§5.2.3"),
  f("VIRTIO_BLK_F_WRITE_ZEROES", 14, "1.1", "§5.2.3"),
  f("VIRTIO_BLK_F_LIFETIME", 15, "1.2", "§5.2.3"),
  f("VIRTIO_BLK_F_SECURE_ERASE", 16, "1.2", "§5.2.3"),
  f("VIRTIO_BLK_F_ZONED", 17, "1.3", "§5.2.3"),
];

const consoleFeatures: readonly FeatureDef[] = [
  f("VIRTIO_CONSOLE_F_SIZE", 0, "1.0", "§5.3.3"),
  f("VIRTIO_CONSOLE_F_MULTIPORT", 1, "1.0", "§5.3.3"),
  f("VIRTIO_CONSOLE_F_EMERG_WRITE", 2, "1.0", "§5.3.3"),
];

const balloonFeatures: readonly FeatureDef[] = [
  f("VIRTIO_BALLOON_F_MUST_TELL_HOST", 0, "1.0", "§5.5.3"),
  f("VIRTIO_BALLOON_F_STATS_VQ", 1, "1.0", "§5.5.3"),
  f("VIRTIO_BALLOON_F_DEFLATE_ON_OOM", 2, "1.0", "§5.5.3"),
  f("VIRTIO_BALLOON_F_FREE_PAGE_HINT", 3, "1.2", "§5.5.3"),
  f("VIRTIO_BALLOON_F_PAGE_POISON", 4, "1.2", "§5.5.3"),
  // The driver may accept it only together with PAGE_POISON if its pages are poisoned (§5.5.3.1): not a plain dependency.
  f("VIRTIO_BALLOON_F_PAGE_REPORTING", 5, "1.2", "§5.5.3"),
];

const scsiFeatures: readonly FeatureDef[] = [
  f("VIRTIO_SCSI_F_INOUT", 0, "1.0", "§5.6.3"),
  f("VIRTIO_SCSI_F_HOTPLUG", 1, "1.0", "§5.6.3"),
  f("VIRTIO_SCSI_F_CHANGE", 2, "1.0", "§5.6.3"),
  f("VIRTIO_SCSI_F_T10_PI", 3, "1.0", "§5.6.3"),
];

const gpuFeatures: readonly FeatureDef[] = [
  f("VIRTIO_GPU_F_VIRGL", 0, "1.1", "§5.7.3"),
  f("VIRTIO_GPU_F_EDID", 1, "1.1", "§5.7.3"),
  f("VIRTIO_GPU_F_RESOURCE_UUID", 2, "1.2", "§5.7.3"),
  f("VIRTIO_GPU_F_RESOURCE_BLOB", 3, "1.2", "§5.7.3"),
  f("VIRTIO_GPU_F_CONTEXT_INIT", 4, "1.2", "§5.7.3", allOf("VIRTIO_GPU_F_VIRGL")),
  f("VIRTIO_GPU_F_BLOB_ALIGNMENT", 5, "1.4", "§5.7.3"),
];

const cryptoRevision1 = allOf("VIRTIO_CRYPTO_F_REVISION_1");
const cryptoFeatures: readonly FeatureDef[] = [
  f("VIRTIO_CRYPTO_F_REVISION_1", 0, "1.1", "§5.9.3"),
  f("VIRTIO_CRYPTO_F_CIPHER_STATELESS_MODE", 1, "1.1", "§5.9.3", cryptoRevision1),
  f("VIRTIO_CRYPTO_F_HASH_STATELESS_MODE", 2, "1.1", "§5.9.3", cryptoRevision1),
  f("VIRTIO_CRYPTO_F_MAC_STATELESS_MODE", 3, "1.1", "§5.9.3", cryptoRevision1),
  f("VIRTIO_CRYPTO_F_AEAD_STATELESS_MODE", 4, "1.1", "§5.9.3", cryptoRevision1),
];

const vsockFeatures: readonly FeatureDef[] = [
  f("VIRTIO_VSOCK_F_STREAM", 0, "1.2", "§5.10.3"),
  f("VIRTIO_VSOCK_F_SEQPACKET", 1, "1.2", "§5.10.3"),
  f("VIRTIO_VSOCK_F_NO_IMPLIED_STREAM", 2, "1.3", "§5.10.3"),
];

const iommuFeatures: readonly FeatureDef[] = [
  f("VIRTIO_IOMMU_F_INPUT_RANGE", 0, "1.2", "§5.13.3"),
  f("VIRTIO_IOMMU_F_DOMAIN_RANGE", 1, "1.2", "§5.13.3"),
  f("VIRTIO_IOMMU_F_MAP_UNMAP", 2, "1.2", "§5.13.3"),
  f("VIRTIO_IOMMU_F_BYPASS", 3, "1.2", "§5.13.3"),
  f("VIRTIO_IOMMU_F_PROBE", 4, "1.2", "§5.13.3"),
  f("VIRTIO_IOMMU_F_MMIO", 5, "1.2", "§5.13.3"),
  f("VIRTIO_IOMMU_F_BYPASS_CONFIG", 6, "1.2", "§5.13.3"),
];

const memFeatures: readonly FeatureDef[] = [
  f("VIRTIO_MEM_F_ACPI_PXM", 0, "1.2", "§5.15.3"),
  f("VIRTIO_MEM_F_UNPLUGGED_INACCESSIBLE", 1, "1.2", "§5.15.3"),
  f("VIRTIO_MEM_F_PERSISTENT_SUSPEND", 2, "1.4", "§5.15.3"),
];

const scmiFeatures: readonly FeatureDef[] = [
  f("VIRTIO_SCMI_F_P2A_CHANNELS", 0, "1.2", "§5.17.3"),
  f("VIRTIO_SCMI_F_SHARED_MEMORY", 1, "1.2", "§5.17.3"),
];

function type(
  id: number,
  short: string,
  name: string,
  section?: string,
  features: readonly FeatureDef[] = [],
  since: VirtioVersion = "1.2",
): DeviceTypeDef {
  return section === undefined ? { id, short, name, since, features } : { id, short, name, since, section, features };
}

/** DeviceID of a slot without a device: the driver stops there without a word (virtio 1.2 §4.2.2). */
export const virtioIdInvalid = 0;

/** Every device type with a number in virtio 1.2 (§5), those of 1.3 and 1.4, and our own test device. */
export const deviceTypes: readonly DeviceTypeDef[] = [
  type(1, "net", "network card", "§5.1", netFeatures, "1.0"),
  type(2, "blk", "block device", "§5.2", blkFeatures, "1.0"),
  type(3, "console", "console", "§5.3", consoleFeatures, "1.0"),
  type(4, "rng", "entropy source", "§5.4", [], "1.0"),
  type(5, "balloon", "memory ballooning (traditional)", "§5.5", balloonFeatures, "1.0"),
  type(6, "iomem", "ioMemory", undefined, [], "1.0"),
  type(7, "rpmsg", "rpmsg", undefined, [], "1.0"),
  type(8, "scsi", "SCSI host", "§5.6", scsiFeatures, "1.0"),
  type(9, "9p", "9P transport", undefined, [], "1.0"),
  type(10, "mac80211_wlan", "mac80211 wlan", undefined, [], "1.0"),
  type(11, "rproc_serial", "rproc serial", undefined, [], "1.0"),
  type(12, "caif", "virtio CAIF", undefined, [], "1.0"),
  type(13, "memory_balloon", "memory balloon", undefined, [], "1.0"),
  type(16, "gpu", "GPU device", "§5.7", gpuFeatures, "1.0"),
  type(17, "clock", "Timer/Clock device", undefined, [], "1.0"),
  type(18, "input", "Input device", "§5.8", [], "1.0"),
  type(19, "vsock", "Socket device", "§5.10", vsockFeatures, "1.1"),
  type(20, "crypto", "Crypto device", "§5.9", cryptoFeatures, "1.1"),
  type(21, "signal_dist", "Signal Distribution Module", undefined, [], "1.1"),
  type(22, "pstore", "pstore device", undefined, [], "1.1"),
  type(23, "iommu", "IOMMU device", "§5.13", iommuFeatures, "1.1"),
  type(24, "mem", "Memory device", "§5.15", memFeatures, "1.1"),
  type(25, "sound", "Audio device", "§5.14", [f("VIRTIO_SND_F_CTLS", 0, "1.3", "§5.14.3")]),
  type(26, "fs", "file system device", "§5.11", [f("VIRTIO_FS_F_NOTIFICATION", 0, "1.2", "§5.11.3")]),
  type(27, "pmem", "PMEM device", "§5.19", [f("VIRTIO_PMEM_F_SHMEM_REGION", 0, "1.2", "§5.19.3")]),
  type(28, "rpmb", "RPMB device", "§5.12"),
  type(29, "mac80211_hwsim", "mac80211 hwsim wireless simulation device"),
  type(30, "video_encoder", "Video encoder device"),
  type(31, "video_decoder", "Video decoder device"),
  type(32, "scmi", "SCMI device", "§5.17", scmiFeatures),
  type(33, "nitro_sec_mod", "NitroSecureModule"),
  type(34, "i2c", "I2C adapter", "§5.16", [f("VIRTIO_I2C_F_ZERO_LENGTH_REQUEST", 0, "1.2", "§5.16.3")]),
  type(35, "watchdog", "Watchdog"),
  type(36, "can", "CAN device"),
  type(38, "param_serv", "Parameter Server"),
  type(39, "audio_policy", "Audio policy device"),
  type(40, "bt", "Bluetooth device"),
  type(41, "gpio", "GPIO device", "§5.18", [f("VIRTIO_GPIO_F_IRQ", 0, "1.2", "§5.18.3")]),
  type(42, "rdma", "RDMA device"),
  type(43, "camera", "Camera device", undefined, [], "1.4"),
  type(44, "ism", "ISM device", undefined, [], "1.4"),
  type(45, "spi", "SPI controller", undefined, [], "1.4"),
  type(46, "tee", "TEE device", undefined, [], "1.4"),
  type(47, "cpu_balloon", "CPU balloon device", undefined, [], "1.4"),
  type(48, "media", "Media device", undefined, [], "1.4"),
  type(49, "usb", "USB controller", undefined, [], "1.4"),
  // Unallocated in every version of the specification: see devices/virtio/dummy.ts.
  type(63, "dummy", "Ringside test device", undefined, [f("DUMMY_F_LIMIT", 0, "ringside", "dummy.ts")], "ringside"),
];

const typesById: ReadonlyMap<number, DeviceTypeDef> = new Map(deviceTypes.map((t) => [t.id, t]));
const reservedByBit: ReadonlyMap<number, FeatureDef> = new Map(reservedFeatures.map((r) => [r.bit, r]));

/** The device type of a DeviceID; undefined for numbers the specification has not given out. */
export function deviceType(id: number): DeviceTypeDef | undefined {
  return typesById.get(id);
}

/**
 * What bit `bit` means on a virtio-mmio device of type `deviceId`: the device type's own bit first (41 and 42 are
 * the network device's), then the reserved ones; undefined if nobody defined it.
 *
 * @example
 * ```ts
 * import { featureName } from "./features.ts";
 * if (featureName(2, 5) !== "VIRTIO_BLK_F_RO") throw new Error("table changed");
 * ```
 */
export function findFeature(deviceId: number, bit: number): FeatureDef | undefined {
  return typesById.get(deviceId)?.features.find((feature) => feature.bit === bit) ?? reservedByBit.get(bit);
}

/** Name of a feature bit for traces: the specification's, or `bit N`. */
export function featureName(deviceId: number, bit: number): string {
  return findFeature(deviceId, bit)?.name ?? `bit ${bit}`;
}
