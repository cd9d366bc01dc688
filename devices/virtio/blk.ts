import { hex, join64 } from "../../vm/bits.ts";
import { type BlockBackend, HostError, SECTOR_SIZE } from "../block_backend.ts";
import type { Chain } from "./chain.ts";
import {
  BLK_F,
  BLK_ID,
  BLK_QUEUES_MAX,
  blkConfig,
  blkFeatures,
  type BlkLifetime,
  type BlkOptions,
  QUEUE_SIZE,
  setCapacity,
} from "./blk_config.ts";
import { BlkRanges, type RangeKind } from "./blk_ranges.ts";
import type { ConfigSpace } from "./config.ts";
import type { QueueDef, VirtioDevice, VirtioTransport } from "./device.ts";
import type { FeatureSet } from "./feature_set.ts";
import { featureName } from "./features.ts";

/** Request types (virtio 1.2 §5.2.6; FLUSH_OUT §5.2.6.3). */
export const VirtioBlkT = {
  IN: 0,
  OUT: 1,
  FLUSH: 4,
  FLUSH_OUT: 5,
  GET_ID: 8,
  GET_LIFETIME: 10,
  DISCARD: 11,
  WRITE_ZEROES: 13,
  SECURE_ERASE: 14,
} as const;

/** Values of the status byte (virtio 1.2 §5.2.6). */
export const VirtioBlkS = { OK: 0, IOERR: 1, UNSUPP: 2 } as const;

/**
 * Most bytes moved at one moment of virtual time; a longer request takes a latency for each. A guest may lay a chain of
 * gigabytes over little memory, and the host must stay responsive.
 */
const MOVE_MAX = 4 << 20;

/** Bytes of the device ID string (virtio 1.2 §5.2.6). */
const ID_BYTES = 20;

/** Bytes of struct virtio_blk_lifetime (virtio 1.2 §5.2.6). */
const LIFETIME_BYTES = 6;

/** Wear of a new device: fewer than 80 % of the reserved blocks and 10 % of the lifetime are used. */
const NEW: BlkLifetime = { preEolInfo: 1, typA: 1, typB: 1 };

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
  readonly id: number = BLK_ID;
  readonly name = "blk";
  readonly features: FeatureSet;
  /** `requestq`, or `requestq1` to `requestqN`. */
  readonly queues: readonly QueueDef[];
  /** Capacity, limits, geometry, topology, `writeback` (virtio 1.2 §5.2.4). */
  readonly config: ConfigSpace;
  readonly #backend: BlockBackend;
  readonly #serial: Uint8Array;
  readonly #lifetime: BlkLifetime;
  readonly #header = new Uint8Array(16);
  readonly #headerView = new DataView(this.#header.buffer);
  #transport!: VirtioTransport;

  /**
   * A disk of the backend's size.
   *
   * @throws if a size is not what a disk can have, or the serial does not fit
   */
  constructor(options: BlkOptions) {
    const { backend, queues = 1, queueSize: sizeMax = QUEUE_SIZE } = options;
    checkSize(backend.sizeBytes);
    if (!(Number.isInteger(queues) && queues >= 1 && queues <= BLK_QUEUES_MAX)) {
      throw new RangeError(`virtio blk: ${queues} queues, expected 1..${BLK_QUEUES_MAX}`);
    }
    this.#backend = backend;
    this.#serial = new TextEncoder().encode(options.serial ?? "ringside");
    if (this.#serial.length > ID_BYTES) {
      throw new RangeError(`virtio blk: serial of ${this.#serial.length} bytes, at most ${ID_BYTES} fit`);
    }
    this.#lifetime = options.lifetime ?? NEW;
    // §5.2.2: without MQ there is one queue.
    this.queues = queues === 1 ? [{ name: "requestq", sizeMax }] : Array.from({ length: queues }, (_, i): QueueDef => ({
      name: `requestq${i + 1}`,
      sizeMax,
      ...(i > 0 && { feature: BLK_F.MQ }),
    }));
    this.features = blkFeatures(options);
    this.config = blkConfig(options, this.features, () => this.#writebackWritten());
    setCapacity(this.config, this.features, backend.sizeBytes);
    this.reset();
    this.config.generation = 0;
  }

  /**
   * Gives the disk another size, and notifies the driver (virtio 1.3 §5.2.6.2). Requests beyond the end fail from now
   * on, also those that are on their way.
   *
   * @throws {RangeError} if the size is not a multiple of 512, or the backend has only one
   * @throws {HostError} if the host cannot
   */
  resize(sizeBytes: number): void {
    checkSize(sizeBytes);
    if (this.#backend.resize === undefined) throw new RangeError("virtio blk: the backend cannot be resized");
    if (sizeBytes === this.#backend.sizeBytes) return;
    this.#backend.resize(sizeBytes);
    setCapacity(this.config, this.features, sizeBytes);
    this.#transport.configChanged();
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
    // §5.2.5: the mode after a reset is ours to choose. Without the field it is the negotiated FLUSH that says.
    this.config.set("writeback", this.features.has(BLK_F.CONFIG_WCE) ? 1 : 0);
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
      return transport.fail("blk-status", `${chain.name}: no device-writable byte for the status`);
    }
    this.#header.fill(0);
    const got = chain.reader.read(this.#header);
    const view = this.#headerView;
    const sector = join64(view.getUint32(8, true), view.getUint32(12, true));
    const type = got < 16 ? -1 : view.getUint32(0, true);
    const readable = chain.reader.remaining;
    const writable = chain.writableLength - 1;
    const dataLength = type === VirtioBlkT.OUT || RANGES.has(type) ? readable : writable;
    if (type < 0) {
      transport.violation("blk-header", `${chain.name}: ${got} device-readable bytes, the header has 16`);
    } else {
      this.#checkDirections(chain, type, readable, writable);
      if (sector !== 0 && WITHOUT_SECTOR.has(type)) {
        transport.violation("blk-sector", `${chain.name}: ${typeName(type)} with sector ${sector}`);
      }
    }
    const request: Request = { queue, chain, type, sector, dataLength, moved: 0 };
    transport.request(queue, chain.head, () => describe(request));
    transport.complete(queue, () => this.#run(request));
  }

  #checkDirections(chain: Chain, type: number, readable: number, writable: number): void {
    const { IN, OUT, GET_ID, GET_LIFETIME, FLUSH } = VirtioBlkT;
    const what = (bytes: number, kind: string) => `${chain.name}: ${bytes} ${kind} bytes in ${typeName(type)}`;
    if ((type === IN || type === GET_ID || type === GET_LIFETIME) && readable > 0) {
      this.#transport.violation("blk-direction", what(readable, "device-readable data"));
    }
    if ((type === OUT || RANGES.has(type)) && writable > 0) {
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
      else if (type === VirtioBlkT.GET_LIFETIME && this.features.has(BLK_F.LIFETIME)) this.#getLifetime(request);
      else if (this.features.has(RANGES.get(type)?.feature ?? -1)) status = this.#ranges(request);
      else if (type < 0) status = VirtioBlkS.IOERR;
      else {
        // §5.2.6: a request the device does not know is UNSUPP, not an error.
        status = VirtioBlkS.UNSUPP;
        this.#transport.violation("blk-type", `${chain.name}: request type ${hex(type)}`);
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
    chain.writer.writeLast(status);
    this.#transport.queue(queue).push(chain, written === last ? last + 1 : written);
  }

  /** Moves the data of a read or write, or the next part of it; undefined while there is more. */
  #move(request: Request): number | undefined {
    const write = request.type === VirtioBlkT.OUT;
    // §5.2.6.2: a write to a read-only device is an error, and nothing is written.
    if (write && this.#backend.readOnly) {
      this.#transport.violation("blk-read-only", `${request.chain.name}: OUT, the device offers VIRTIO_BLK_F_RO`);
      return VirtioBlkS.IOERR;
    }
    if (!this.#inRange(request)) return VirtioBlkS.IOERR;
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
    const { kind, feature } = RANGES.get(type)!;
    if (request.ranges === undefined) {
      this.#needs(feature, request);
      const ranges = BlkRanges.read(chain, dataLength, kind, this.#backend.sizeBytes / SECTOR_SIZE);
      if (!(ranges instanceof BlkRanges)) {
        this.#transport.violation(ranges.rule, `${chain.name}: ${typeName(type)}: ${ranges.what}`);
        return ranges.unsupported ? VirtioBlkS.UNSUPP : VirtioBlkS.IOERR;
      }
      request.ranges = ranges;
    }
    if (!request.ranges.step(this.#backend, MOVE_MAX)) return undefined;
    // §5.2.6.2: unless the driver was told of a cache, what it wrote is stable. What is erased is so for good.
    if (kind === "secure_erase" || (kind === "write_zeroes" && !this.#writeback)) this.#backend.flush();
    return VirtioBlkS.OK;
  }

  /** Reports a request whose feature was not negotiated; it is done all the same where it is offered. */
  #needs(feature: number, { chain, type }: Request): void {
    if (this.#transport.negotiated.has(feature)) return;
    const what = `${chain.name}: ${typeName(type)} without ${featureName(BLK_ID, feature)}`;
    this.#transport.violation("blk-type-feature", what);
  }

  #flush(request: Request): void {
    this.#needs(BLK_F.FLUSH, request);
    if (request.sector !== 0) {
      this.#transport.violation("blk-flush-sector", `${request.chain.name}: FLUSH of sector ${request.sector}`);
    }
    // §5.2.6.2: complete only when what was written before is committed.
    this.#backend.flush();
  }

  #getId(request: Request): void {
    const id = new Uint8Array(ID_BYTES);
    id.set(this.#serial);
    this.#answer(request, id);
  }

  #getLifetime(request: Request): void {
    this.#needs(BLK_F.LIFETIME, request);
    const { preEolInfo, typA, typB } = this.#lifetime;
    const lifetime = new Uint8Array(LIFETIME_BYTES);
    const view = new DataView(lifetime.buffer);
    [preEolInfo, typA, typB].forEach((value, i) => view.setUint16(2 * i, value, true));
    this.#answer(request, lifetime);
  }

  /** Writes the data of a request that asks for `data`, as far as there is room for it. */
  #answer({ chain, type, dataLength }: Request, data: Uint8Array): void {
    if (dataLength !== data.length) {
      const what = `${chain.name}: ${typeName(type)} with ${dataLength} bytes of data instead of ${data.length}`;
      this.#transport.violation("blk-data-length", what);
    }
    chain.writer.write(data.subarray(0, Math.min(data.length, dataLength)));
  }

  /** Whether a read or write is whole sectors inside the capacity (§5.2.6.1). */
  #inRange({ chain, sector, dataLength, type }: Request): boolean {
    if (dataLength % SECTOR_SIZE !== 0) {
      const what = `${chain.name}: ${typeName(type)} of ${dataLength} bytes, not a multiple of ${SECTOR_SIZE}`;
      this.#transport.violation("blk-data-length", what);
      return false;
    }
    const capacity = this.#backend.sizeBytes / SECTOR_SIZE;
    if (sector + dataLength / SECTOR_SIZE > capacity) {
      const what = `${chain.name}: ${typeName(type)} of ${dataLength} bytes at sector ${sector} of ${capacity}`;
      this.#transport.violation("blk-range", what);
      return false;
    }
    return true;
  }
}

/** Requests whose data are segments that name ranges of sectors. */
const RANGES: ReadonlyMap<number, { readonly kind: RangeKind; readonly feature: number }> = new Map([
  [VirtioBlkT.DISCARD, { kind: "discard", feature: BLK_F.DISCARD }],
  [VirtioBlkT.WRITE_ZEROES, { kind: "write_zeroes", feature: BLK_F.WRITE_ZEROES }],
  [VirtioBlkT.SECURE_ERASE, { kind: "secure_erase", feature: BLK_F.SECURE_ERASE }],
]);

/** Requests that are about the whole disk, or name their sectors elsewhere. FLUSH has a rule of its own. */
const WITHOUT_SECTOR: ReadonlySet<number> = new Set([VirtioBlkT.GET_ID, VirtioBlkT.GET_LIFETIME, ...RANGES.keys()]);

function checkSize(sizeBytes: number): void {
  if (Number.isSafeInteger(sizeBytes) && sizeBytes >= 0 && sizeBytes % SECTOR_SIZE === 0) return;
  throw new RangeError(`virtio blk: size ${sizeBytes} is not a multiple of ${SECTOR_SIZE}`);
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
