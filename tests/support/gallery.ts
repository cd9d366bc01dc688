/** Images of the gallery of wrong drivers, run with the checker as the command line runs them. */
import { type Base, STEPS_MAX } from "../../tools/gallery/mistake.ts";
import { debugSections } from "../../vm/boot/debug_sections.ts";
import { readElf } from "../../vm/boot/elf.ts";
import { SymbolTable } from "../../vm/boot/symbols.ts";
import { Checker } from "../../vm/check/checker.ts";
import { type CheckResult, checkResult } from "../../vm/check/result.ts";
import { DEFAULT_ISA } from "../../vm/cli/default_isa.ts";
import { explainStall } from "../../vm/check/stall/explain.ts";
import { SAMPLE_STEPS, Sampler } from "../../vm/check/stall/sample.ts";
import type { Stall } from "../../vm/check/stall/view.ts";
import { stallView } from "../../vm/machine/stall_view.ts";
import { guestView } from "../../vm/cli/stacks.ts";
import { DebugInfo } from "../../vm/debug/debug_info.ts";
import type { EngineName, Machine, StopReason } from "../../vm/machine.ts";
import type { Symbolizer } from "../../vm/trace/symbolizer.ts";
import { bootImage } from "./boot_image.ts";

/** What came of a run. */
export interface GalleryRun {
  readonly result: CheckResult;
  readonly reason: StopReason;
  /** Why it stands still, where it does. */
  readonly stall: Stall | undefined;
  readonly console: string;
}

/** Runs `images/gallery/NAME.elf` on what its base needs. */
export async function runGallery(name: string, base: Base, engine: EngineName = "interpreter"): Promise<GalleryRun> {
  const file = `gallery/${name}.elf`;
  const elf = readElf(Deno.readFileSync(new URL(`../../images/${file}`, import.meta.url)), name);
  const symbols = new SymbolTable(elf.symbols);
  const symbolize = (addr: bigint) => symbols.find(addr);
  let checker: Checker | undefined;
  let watched: Machine | undefined;
  const { reason: first, console } = await bootImage(file, {
    engine,
    xlen: 64,
    isa: DEFAULT_ISA[64],
    version: base.version ?? 2,
    devices: base.devices ?? [],
    steps: STEPS_MAX - SAMPLE_STEPS,
    started: (machine) => {
      checker = new Checker("spec", guestView(machine));
      checker.attach(machine.events);
      watched = machine;
    },
  });
  const { reason, stall } = await followed(watched!, checker!, first, symbolize);
  const sources = new DebugInfo(await debugSections(elf), elf.xlen);
  checker!.end();
  const result = checkResult(checker!, { symbolize, sources });
  return { result, reason, console, stall };
}

/** Goes on where a run ended at `SAMPLE_STEPS` before its limit, and says why the guest is stuck if it is. */
async function followed(
  machine: Machine,
  checker: Checker,
  first: StopReason,
  symbolize: Symbolizer,
): Promise<Pick<GalleryRun, "reason" | "stall">> {
  if (first !== "limit" && first !== "stall") return { reason: first, stall: undefined };
  const sampler = new Sampler();
  const end = machine.events.onRecords((view, count) => sampler.records(view, count));
  const { reason } = first === "stall" ? { reason: first } : await machine.run({ steps: STEPS_MAX });
  machine.events.drainRecords();
  end();
  if (reason !== "limit" && reason !== "stall") return { reason, stall: undefined };
  const samples = first === "stall" ? [] : machine.harts.map(({ index }) => sampler.sample(index));
  return {
    reason,
    stall: explainStall(stallView(machine, symbolize, (device, queue) => checker.unread(device, queue)), samples),
  };
}

/** What a run found, as the gallery's table says it: the rule and the function, in order. */
export function foundIn({ findings }: CheckResult): string[] {
  return findings.map(({ finding, place }) => `${finding.rule.name}@${place.frame?.name ?? "?"}`);
}
