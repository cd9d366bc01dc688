/** Images of the gallery of wrong drivers, run with the checker as the command line runs them. */
import { STEPS_MAX } from "../../tools/gallery/document.ts";
import type { Base } from "../../tools/gallery/mistake.ts";
import { debugSections } from "../../vm/boot/debug_sections.ts";
import { readElf } from "../../vm/boot/elf.ts";
import { SymbolTable } from "../../vm/boot/symbols.ts";
import { Checker } from "../../vm/check/checker.ts";
import { type CheckResult, checkResult } from "../../vm/check/result.ts";
import { DEFAULT_ISA } from "../../vm/cli/default_isa.ts";
import { explainStall } from "../../vm/check/stall/explain.ts";
import type { Stall, StallView } from "../../vm/check/stall/view.ts";
import { stallView } from "../../vm/machine/stall_view.ts";
import { stackOf } from "../../vm/cli/stacks.ts";
import { DebugInfo } from "../../vm/debug/debug_info.ts";
import type { EngineName, StopReason } from "../../vm/machine.ts";
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
  let view: (() => StallView) | undefined;
  const { reason, console } = await bootImage(file, {
    engine,
    xlen: 64,
    isa: DEFAULT_ISA[64],
    version: base.version ?? 2,
    devices: base.devices ?? [],
    steps: STEPS_MAX,
    started: (machine) => {
      checker = new Checker("spec", {
        stack: ({ hart, pc }) => stackOf(machine, hart, pc),
        memory: (addr, size) => machine.memory.bytes(addr, size)?.slice(),
      });
      checker.attach(machine.events);
      view = () => stallView(machine, symbolize);
    },
  });
  const sources = new DebugInfo(await debugSections(elf), elf.xlen);
  const result = checkResult(checker!, { symbolize, sources });
  return { result, reason, console, stall: reason === "stall" ? explainStall(view!()) : undefined };
}

/** What a run found, as the gallery's table says it: the rule and the function, in order. */
export function foundIn({ findings }: CheckResult): string[] {
  return findings.map(({ finding, place }) => `${finding.rule.name}@${place.frame?.name ?? "?"}`);
}
