/** What firmware and kernels find on the board beside what runs them: the wall clock, fw_cfg and flash. */
import { FwCfg, FwCfgKey, fwCfgNumber } from "../../devices/fw_cfg.ts";
import type { Plic } from "../../devices/plic.ts";
import { Rtc } from "../../devices/rtc.ts";
import { boardEntry, RTC_EPOCH } from "../board.ts";
import type { Bus } from "../bus/bus.ts";
import type { Clock } from "../bus/clock.ts";
import type { GuestMemory } from "../bus/memory.ts";
import type { EventStream } from "../events.ts";
import { FlashBanks } from "./flash_banks.ts";

/** What they need of the machine. */
export interface FirmwareDeviceOptions {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly memory: GuestMemory;
  readonly events: EventStream;
  readonly plic: Plic;
  readonly harts: number;
  /** Bytes of RAM. */
  readonly memorySize: number;
  /** Wall clock at power-on in milliseconds since 1970. */
  readonly rtcEpoch: number | undefined;
}

/** Makes the devices and puts them on the bus; gives fw_cfg, which has yet to be told what is booted. */
export function attachFirmwareDevices(options: FirmwareDeviceOptions): FwCfg {
  const { bus, clock, memory, events, plic } = options;
  const rtc = boardEntry("rtc");
  const epoch = BigInt(options.rtcEpoch ?? RTC_EPOCH) * 1_000_000n;
  bus.attach(rtc, new Rtc({ clock, irq: plic.source(rtc.irq!), epoch }));
  bus.attach(boardEntry("flash"), new FlashBanks(memory, events));
  const config = new FwCfg({ memory, events });
  config.provide(FwCfgKey.RAM_SIZE, fwCfgNumber(options.memorySize, 8));
  config.provide(FwCfgKey.NB_CPUS, fwCfgNumber(options.harts, 2));
  config.provide(FwCfgKey.MAX_CPUS, fwCfgNumber(options.harts, 2));
  bus.attach(boardEntry("fw-cfg"), config);
  return config;
}
