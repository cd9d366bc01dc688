import { hex, join64 } from "../../vm/bits.ts";
import { type BlockBackend, HostError, SECTOR_SIZE } from "../block_backend.ts";
import type { Chain } from "./chain.ts";
import { BlkRanges, RANGE_SECTORS_MAX, RANGES_MAX } from "./blk_ranges.ts";
import { type ConfigField, ConfigSpace } from "./config.ts";
import type { QueueDef, VirtioDevice, VirtioTransport } from "./device.ts";
import { featureBit, type FeatureSet, featureSet } from "./feature_set.ts";
import { splitSizeMax } from "./queue.ts";

const ID = 2;

/** Request types (virtio 1.2 §5.2.6; FLUSH_OUT §5.2.6.3). */
export const VirtioBlkT = { IN: 0, OUT: 1, FLUSH: 4, FLUSH_OUT: 5, GET_ID: 8, DISCARD: 11, WRITE_ZEROES: 13 } as const;

/** Values of the status byte (virtio 1.2 §5.2.6). */
export const VirtioBlkS = { OK: 0, IOERR: 1, UNSUPP: 2 } as const;

/**
 * Most bytes moved at one moment of virtual time; a longer request takes a latency for each. A guest may lay a chain of
 * gigabytes over little memory, and the host must stay responsive.
 */
const MOVE_MAX = 4 << 20;

/** Bytes of the device ID string (virtio 1.2 §5.2.6). */
const ID_BYTES = 20;

const BLK_F = {
  SEG_MAX: featureBit(ID, "VIRTIO_BLK_F_SEG_MAX"),
  GEOMETRY: featureBit(ID, "VIRTIO_BLK_F_GEOMETRY"),
  BLK_SIZE: featureBit(ID, "VIRTIO_BLK_F_BLK_SIZE"),
  FLUSH: featureBit(ID, "VIRTIO_BLK_F_FLUSH"),
  TOPOLOGY: featureBit(ID, "VIRTIO_BLK_F_TOPOLOGY"),
  CONFIG_WCE: featureBit(ID, "VIRTIO_BLK_F_CONFIG_WCE"),
  SIZE_MAX: featureBit(ID, "VIRTIO_BLK_F_SIZE_MAX"),
  DISCARD: featureBit(ID, "VIRTIO_BLK_F_DISCARD"),
  WRITE_ZEROES: featureBit(ID, "VIRTIO_BLK_F_WRITE_ZEROES"),
} as const;

/** How a block device is built. */
export interface BlkOptions {
  /** Where the blocks are. */
  readonly backend: BlockBackend;
  /** What GET_ID returns: at most 20 bytes of ASCII. */
  readonly serial?: string;
  /** QueueNumMax of its queue; default 256. */
  readonly queueSize?: number;
  /** Offer DISCARD and WRITE_ZEROES, unless the backend is read-only; default: do not. */
  readonly discard?: boolean;
}

/** One request, from notification to completion. */
interface Request {
  readonly queue: number;
  readonly chain: Chain;
  readonly type: number;
  readonly sector: number;
  /** Bytes of data: device-writable ones before the status byte, or device-readable ones after the header. */
  readonly dataLength: number;
  /** Bytes of data moved so far. */
  moved: number;
  /** What is left of a DISCARD or WRITE_ZEROES that has begun. */
  ranges?: BlkRanges;
}

/** Block device (virtio 1.2 §5.2) over a {@linkcode BlockBackend}. */
export class VirtioBlk implements VirtioDevice {
  readonly id: number = ID;
  readonly name = "blk";
  readonly features: FeatureSet;
  /** One queue, `requestq`. */
  readonly queues: readonly QueueDef[];
  /** Capacity, geometry, topology, `writeback` (virtio 1.2 §5.2.4). */
  readonly config: ConfigSpace;
  readonly #backend: BlockBackend;
  readonly #serial: Uint8Array;
  readonly #header = new Uint8Array(16);
  readonly #headerView = new DataView(this.#header.buffer);
  #transport!: VirtioTransport;

  /**
   * A disk of the backend's size.
   *
   * @throws if the backend's size is not a multiple of 512 or the serial does not fit
   */
  constructor(options: BlkOptions) {
    const { backend } = options;
    if (!(backend.sizeBytes >= 0) || backend.sizeBytes % SECTOR_SIZE !== 0) {
      throw new RangeError(`virtio blk: size ${backend.sizeBytes} is not a multiple of ${SECTOR_SIZE}`);
    }
    const sizeMax = options.queueSize ?? 256;
    this.#backend = backend;
    this.#serial = new TextEncoder().encode(options.serial ?? "ringside");
    if (this.#serial.length > ID_BYTES) {
      throw new RangeError(`virtio blk: serial of ${this.#serial.length} bytes, at most ${ID_BYTES} fit`);
    }
    this.queues = [{ name: "requestq", sizeMax }];
    // §5.2.5.2: FLUSH should always be offered, and must be with CONFIG_WCE.
    this.features = featureSet(
      ID,
      "VIRTIO_BLK_F_SEG_MAX",
      "VIRTIO_BLK_F_GEOMETRY",
      "VIRTIO_BLK_F_BLK_SIZE",
      "VIRTIO_BLK_F_FLUSH",
      "VIRTIO_BLK_F_TOPOLOGY",
      "VIRTIO_BLK_F_CONFIG_WCE",
    );
    if (backend.readOnly) this.features.add(featureBit(ID, "VIRTIO_BLK_F_RO"));
    const discard = options.discard === true && !backend.readOnly;
    if (discard) { for (const bit of [BLK_F.DISCARD, BLK_F.WRITE_ZEROES]) this.features.add(bit); }
    this.config = new ConfigSpace([
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
      // §5.2.5.2: padding reads 0.
      { name: "unused0", offset: 33, size: 1 },
      ...(discard ? RANGE_FIELDS : []),
    ], () => this.#writebackWritten());
    if (discard) {
      for (const what of ["discard", "write_zeroes"]) {
        this.config.set(`max_${what}_sectors`, RANGE_SECTORS_MAX);
        this.config.set(`max_${what}_seg`, RANGES_MAX);
      }
      this.config.set("discard_sector_alignment", 1);
      // §5.2.6.2: set if and only if WRITE_ZEROES can deallocate.
      this.config.set("write_zeroes_may_unmap", backend.discard === undefined ? 0 : 1);
    }
    this.#fillConfig(sizeMax);
  }

  attach(transport: VirtioTransport): void {
    this.#transport = transport;
  }

  featuresAccepted(accepted: FeatureSet): undefined {
    // §5.2.5.2: without FLUSH there is no way to make volatile writes stable, so the cache starts as writethrough.
    if (accepted.has(BLK_F.CONFIG_WCE) && !accepted.has(BLK_F.FLUSH)) this.config.set("writeback", 0);
  }

  start(): void {}

  process(index: number): void {
    const queue = this.#transport.queue(index);
    for (let chain = queue.pop(); chain !== undefined; chain = queue.pop()) this.#take(index, chain);
  }

  reset(): void {
    this.config.set("writeback", 1);
  }

  #fillConfig(queueSize: number): void {
    const capacity = this.#backend.sizeBytes / SECTOR_SIZE;
    const heads = 16;
    const sectors = 63;
    this.config.set("capacity", capacity);
    // The header and the status byte take a descriptor each of the longest chain (§2.7.5.3.1).
    this.config.set("seg_max", Math.max(1, splitSizeMax(queueSize) - 2));
    this.config.set("geometry.cylinders", Math.min(0xffff, Math.floor(capacity / (heads * sectors))));
    this.config.set("geometry.heads", heads);
    this.config.set("geometry.sectors", sectors);
    this.config.set("blk_size", SECTOR_SIZE);
    this.config.set("topology.min_io_size", 1);
    this.config.set("writeback", 1);
    this.config.generation = 0;
  }

  #writebackWritten(): void {
    const value = this.config.get("writeback");
    if (value <= 1) return;
    this.#transport.violation("blk-writeback-value", `writeback := ${value}`);
    this.config.set("writeback", 1);
  }

  /** Whether writes may complete before they are on stable storage (§5.2.6.2). */
  get #writeback(): boolean {
    const { negotiated } = this.#transport;
    if (negotiated.has(BLK_F.CONFIG_WCE)) return this.config.get("writeback") === 1;
    return negotiated.has(BLK_F.FLUSH);
  }

  /**
   * Takes a request at its notification; the work is done when it is due. Header and status may share descriptors with
   * the data or be spread over several (§2.7.4.1): only the order of bytes counts.
   */
  #take(queue: number, chain: Chain): void {
    const transport = this.#transport;
    if (chain.writableLength === 0) {
      return transport.fail("blk-status", `head ${chain.head}: no device-writable byte for the status`);
    }
    this.#header.fill(0);
    const got = chain.reader.read(this.#header);
    const view = this.#headerView;
    const sector = join64(view.getUint32(8, true), view.getUint32(12, true));
    const type = got < 16 ? -1 : view.getUint32(0, true);
    const readable = chain.reader.remaining;
    const writable = chain.writableLength - 1;
    const dataLength = type === VirtioBlkT.OUT || isRanges(type) ? readable : writable;
    if (type < 0) {
      transport.violation("blk-header", `head ${chain.head}: ${got} device-readable bytes, the header has 16`);
    } else this.#checkDirections(chain.head, type, readable, writable);
    const request: Request = { queue, chain, type, sector, dataLength, moved: 0 };
    transport.request(queue, chain.head, () => describe(request));
    transport.complete(queue, () => this.#run(request));
  }

  #checkDirections(head: number, type: number, readable: number, writable: number): void {
    const { IN, OUT, GET_ID, FLUSH } = VirtioBlkT;
    const what = (bytes: number, kind: string) => `head ${head}: ${bytes} ${kind} bytes in ${typeName(type)}`;
    if ((type === IN || type === GET_ID) && readable > 0) {
      this.#transport.violation("blk-direction", what(readable, "device-readable data"));
    }
    if ((type === OUT || isRanges(type)) && writable > 0) {
      this.#transport.violation("blk-direction", what(writable, "device-writable data"));
    }
    if (type === FLUSH && readable + writable > 0) {
      this.#transport.violation("blk-flush-data", what(readable + writable, "data"));
    }
  }

  /** Does the host's part of a request that is due, and gives it back. */
  #run(request: Request): void {
    const { chain, type } = request;
    let status: number | undefined = VirtioBlkS.OK;
    try {
      if (type === VirtioBlkT.IN || type === VirtioBlkT.OUT) status = this.#move(request);
      else if (type === VirtioBlkT.FLUSH || (type === VirtioBlkT.FLUSH_OUT && this.#transport.legacy)) {
        this.#flush(request);
      } else if (type === VirtioBlkT.GET_ID) this.#getId(request);
      else if (isRanges(type) && this.features.has(BLK_F.DISCARD)) status = this.#ranges(request);
      else if (type < 0) status = VirtioBlkS.IOERR;
      else {
        // §5.2.6: a request the device does not know is UNSUPP, not an error.
        status = VirtioBlkS.UNSUPP;
        this.#transport.violation("blk-type", `head ${chain.head}: request type ${hex(type)}`);
      }
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      status = VirtioBlkS.IOERR;
    }
    if (status !== undefined) this.#finish(request, status);
    else this.#transport.complete(request.queue, () => this.#run(request));
  }

  /**
   * Writes the status, the last device-writable byte, and gives the buffer back. The used length counts bytes written
   * without a gap from the first (§2.7.8.2): after an error in the middle of the data it ends there.
   */
  #finish(request: Request, status: number): void {
    const { chain, queue } = request;
    const last = chain.writableLength - 1;
    const written = chain.writer.position;
    chain.writer.seek(last);
    chain.writer.write(Uint8Array.of(status));
    this.#transport.queue(queue).push(chain, written === last ? last + 1 : written);
  }

  /** Moves the data of a read or write, or the next part of it; undefined while there is more. */
  #move(request: Request): number | undefined {
    const write = request.type === VirtioBlkT.OUT;
    // §5.2.6.2: a write to a read-only device is an error, and nothing is written.
    if (write && this.#backend.readOnly) {
      this.#transport.violation("blk-read-only", `head ${request.chain.head}: OUT, the device offers VIRTIO_BLK_F_RO`);
      return VirtioBlkS.IOERR;
    }
    if (request.moved === 0 && !this.#inRange(request)) return VirtioBlkS.IOERR;
    const end = Math.min(request.dataLength, request.moved + MOVE_MAX);
    while (request.moved < end) {
      const offset = request.sector * SECTOR_SIZE + request.moved;
      const left = end - request.moved;
      request.moved += write ? this.#out(request.chain, offset, left) : this.#in(request.chain, offset, left);
    }
    if (end < request.dataLength) return undefined;
    // §5.2.6.2: unless the driver was told of a cache, a completed write is stable.
    if (write && !this.#writeback) this.#backend.flush();
    return VirtioBlkS.OK;
  }

  /** Reads into the next stretch of guest memory, at most `left` bytes; returns how many. */
  #in({ writer }: Chain, offset: number, left: number): number {
    const start = writer.position;
    const view = writer.next(left)!;
    try {
      this.#backend.read(offset, view);
    } catch (error) {
      // What the host left in this stretch is not data: do not count it.
      writer.seek(start);
      throw error;
    }
    return view.length;
  }

  /** Writes the next stretch of guest memory, at most `left` bytes; returns how many. */
  #out({ reader }: Chain, offset: number, left: number): number {
    const view = reader.next(left)!;
    this.#backend.write(offset, view);
    return view.length;
  }

  /** Does the next part of a DISCARD or WRITE_ZEROES; undefined while there is more. */
  #ranges(request: Request): number | undefined {
    const { chain, type, dataLength } = request;
    const discard = type === VirtioBlkT.DISCARD;
    if (request.ranges === undefined) {
      if (!this.#transport.negotiated.has(discard ? BLK_F.DISCARD : BLK_F.WRITE_ZEROES)) {
        const what = `head ${chain.head}: ${typeName(type)} without VIRTIO_BLK_F_${typeName(type)}`;
        this.#transport.violation("blk-type-feature", what);
      }
      const ranges = BlkRanges.read(chain, dataLength, discard, this.#backend.sizeBytes / SECTOR_SIZE);
      if (!(ranges instanceof BlkRanges)) {
        this.#transport.violation(ranges.rule, `head ${chain.head}: ${typeName(type)}: ${ranges.what}`);
        return ranges.unsupported ? VirtioBlkS.UNSUPP : VirtioBlkS.IOERR;
      }
      request.ranges = ranges;
    }
    if (!request.ranges.step(this.#backend, MOVE_MAX)) return undefined;
    // §5.2.6.2: unless the driver was told of a cache, what it wrote is stable.
    if (!discard && !this.#writeback) this.#backend.flush();
    return VirtioBlkS.OK;
  }

  #flush(request: Request): void {
    const { head } = request.chain;
    if (!this.#transport.negotiated.has(BLK_F.FLUSH)) {
      this.#transport.violation("blk-type-feature", `head ${head}: FLUSH without VIRTIO_BLK_F_FLUSH`);
    }
    if (request.sector !== 0) {
      this.#transport.violation("blk-flush-sector", `head ${head}: FLUSH of sector ${request.sector}`);
    }
    // §5.2.6.2: complete only when what was written before is committed.
    this.#backend.flush();
  }

  #getId(request: Request): void {
    const { chain, dataLength } = request;
    if (dataLength !== ID_BYTES) {
      const what = `head ${chain.head}: GET_ID with ${dataLength} bytes of data instead of ${ID_BYTES}`;
      this.#transport.violation("blk-data-length", what);
    }
    const id = new Uint8Array(ID_BYTES);
    id.set(this.#serial);
    chain.writer.write(id.subarray(0, Math.min(ID_BYTES, dataLength)));
  }

  /** Whether a read or write is whole sectors inside the capacity (§5.2.6.1). */
  #inRange({ chain, sector, dataLength, type }: Request): boolean {
    if (dataLength % SECTOR_SIZE !== 0) {
      const what = `head ${chain.head}: ${typeName(type)} of ${dataLength} bytes, not a multiple of ${SECTOR_SIZE}`;
      this.#transport.violation("blk-data-length", what);
      return false;
    }
    const capacity = this.#backend.sizeBytes / SECTOR_SIZE;
    if (sector + dataLength / SECTOR_SIZE > capacity) {
      const what = `head ${chain.head}: ${typeName(type)} of ${dataLength} bytes at sector ${sector} of ${capacity}`;
      this.#transport.violation("blk-range", what);
      return false;
    }
    return true;
  }
}

/** Fields of a device that offers DISCARD and WRITE_ZEROES (virtio 1.2 §5.2.4). */
const RANGE_FIELDS: readonly ConfigField[] = [
  { name: "max_discard_sectors", offset: 36, size: 4, feature: BLK_F.DISCARD },
  { name: "max_discard_seg", offset: 40, size: 4, feature: BLK_F.DISCARD },
  { name: "discard_sector_alignment", offset: 44, size: 4, feature: BLK_F.DISCARD },
  { name: "max_write_zeroes_sectors", offset: 48, size: 4, feature: BLK_F.WRITE_ZEROES },
  { name: "max_write_zeroes_seg", offset: 52, size: 4, feature: BLK_F.WRITE_ZEROES },
  { name: "write_zeroes_may_unmap", offset: 56, size: 1, feature: BLK_F.WRITE_ZEROES },
];

/** Whether the data of a request are segments that name ranges of sectors. */
function isRanges(type: number): boolean {
  return type === VirtioBlkT.DISCARD || type === VirtioBlkT.WRITE_ZEROES;
}

/** Name of a request type, or its number. */
function typeName(type: number): string {
  return Object.entries(VirtioBlkT).find(([, value]) => value === type)?.[0] ?? `type ${hex(type)}`;
}

function describe({ type, sector, dataLength }: Request): string {
  if (type < 0) return "no request header";
  if (type !== VirtioBlkT.IN && type !== VirtioBlkT.OUT) return typeName(type);
  return `${typeName(type)} sector ${sector}, ${dataLength} bytes`;
}
