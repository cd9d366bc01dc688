/** CoreMark as one more bench kernel, built from the folder that COREMARK names with a port of our own. */
import { compileFlags, linkFlags, run, targetFlags } from "../../tools/build_guest.ts";
import { type GuestProgram, programSources } from "../../tools/guest_images.ts";

/** Name of the kernel. */
export const COREMARK = "coremark";

/** CoreMark's own files. */
const THEIRS = ["core_list_join.c", "core_main.c", "core_matrix.c", "core_state.c", "core_util.c"];
const PORT = "guest/bench/coremark";

/** What our side of it is made of: start, library, the `main` of all kernels, the port. */
const program: GuestProgram = {
  name: `bench_${COREMARK}`,
  kind: "bench",
  main: "bench/coremark/core_portme.c",
  devices: [],
  symbolsOnly: true,
  status: 0,
  memory: 4 << 20,
  what: "CoreMark",
};

/** Builds `FOLDER/bench_coremark.elf`, for RV32 `…_rv32.elf`, from CoreMark's sources in `sources`. */
export async function buildCoremark(sources: string, xlen: 32 | 64, folder: string): Promise<string> {
  const elf = `${folder}/${program.name}${xlen === 32 ? "_rv32" : ""}.elf`;
  const objects: string[] = [];
  const compile = async (source: string, ...more: readonly string[]): Promise<void> => {
    const object = `${folder}/${program.name}-${xlen}-${objects.length}.o`;
    const includes = [`-I${PORT}`, `-I${sources}`];
    await run("gcc", [...compileFlags(xlen), ...includes, ...more, "-c", "-o", object, source]);
    objects.push(object);
  };
  for (const source of programSources(program)) await compile(source);
  // Warnings are for our own code.
  for (const source of THEIRS) {
    await compile(`${sources}/${source}`, "-w", ...(source === "core_main.c" ? ["-Dmain=coremark_main"] : []));
  }
  await run("gcc", [...targetFlags(xlen), ...linkFlags(program), "-o", elf, ...objects, "-lgcc"]);
  return elf;
}
