import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../vm/cli/errors.ts";
import { defaultSettings, type Settings } from "../../vm/cli/options.ts";
import { normalise, parseCommandLine } from "../../vm/cli/parse.ts";

/** What `line`, split at spaces, sets beside the defaults and the image. */
function changed(line: string): Partial<Settings> {
  const settings = parseCommandLine([...line.split(" ").filter((word) => word !== ""), "image.bin"]);
  const defaults: Partial<Record<keyof Settings, unknown>> = { ...defaultSettings(), image: "image.bin" };
  return Object.fromEntries(
    Object.entries(settings).filter(([name, value]) =>
      JSON.stringify(value) !== JSON.stringify(defaults[name as keyof Settings])
    ),
  );
}

Deno.test("every option sets what it says", () => {
  const rows: [line: string, settings: Partial<Settings>][] = [
    ["", {}],
    ["--memory 64M", { memory: 64 * 2 ** 20 }],
    ["--memory=3G", { memory: 3 * 2 ** 30 }],
    ["--harts 8", { harts: 8 }],
    ["--isa rv32ima", { isa: "rv32ima_zicntr_zicsr_zifencei" }],
    ["--engine reference", { engine: "reference" }],
    ["--dump-dtb a.dtb", { dumpDtb: "a.dtb" }],
    ["--virtio-version 1", { virtioVersion: 1 }],
    ["--no-default-devices", { defaultDevices: false }],
    ["--stdin uart", { stdin: "uart" }],
    ["--symbols firmware.elf", { symbols: "firmware.elf" }],
    ["--trace", { trace: "" }],
    ["--trace=t.log --trace-format commit", { trace: "t.log", traceFormat: "commit" }],
    ["--trace --trace-filter pc=main,class=load --trace-filter=hart=0", {
      trace: "",
      traceFilters: ["pc=main,class=load", "hart=0"],
    }],
    ["--trace-devices=d.log", { traceDevices: "d.log" }],
    ["--seed 0x10", { seed: 16 }],
    ["--timeout-insns 10M", { timeoutInsns: 10_000_000 }],
    ["--timeout 1.5", { timeout: 1.5e9 }],
    ["--no-reboot", { reboot: false }],
    ["--rtc 1970-01-02", { rtc: 86_400_000 }],
    ["--rtc 1970-01-01T00:01:30Z", { rtc: 90_000 }],
    ["--rtc host", { rtc: "host" }],
  ];
  for (const [line, settings] of rows) assertEquals(changed(line), settings, line);
});

Deno.test("a system is booted by its parts, without an image", () => {
  const { image, bios, kernel, initrd, append, dtb, flash } = parseCommandLine(
    [
      "--bios=b",
      "--kernel",
      "k",
      "--initrd",
      "r",
      "--append",
      "console=ttyS0 quiet",
      "--dtb=t",
      "--flash=f",
      "--flash",
      "g",
    ],
  );
  assertEquals([image, bios, kernel, initrd, append, dtb, flash], [
    undefined,
    "b",
    "k",
    "r",
    "console=ttyS0 quiet",
    "t",
    ["f", "g"],
  ]);
  assertEquals(parseCommandLine(["--kernel", "k"]).bios, undefined);
});

Deno.test("an optional value is taken only after =, so the image stays the image", () => {
  const settings = parseCommandLine(["--trace", "image.bin"]);
  assertEquals([settings.trace, settings.image], ["", "image.bin"]);
  assertEquals(parseCommandLine(["--trace-devices", "--no-reboot", "true"]).image, "true");
});

Deno.test("--expect and --send keep their order, as do --drive and --device", () => {
  const { script, devices } = parseCommandLine(
    [
      "--send=a=b",
      "--drive",
      "x",
      "--expect",
      "$ ",
      "--device",
      "rng",
      "i",
      "--send",
      "\\x04",
      "--drive=y,ro",
      "--expect=c",
    ],
  );
  const text = new TextDecoder();
  assertEquals(script.map((step) => [step.action, step.action === "do" ? "" : text.decode(step.bytes)]), [
    ["send", "a=b"],
    ["expect", "$ "],
    ["send", "\x04"],
    ["expect", "c"],
  ]);
  assertEquals(devices.map((spec) => spec.written), ["--drive x", "--device rng", "--drive y,ro"]);
});

Deno.test("the image may be standard input, begin with a dash after --, or look like a number", () => {
  assertEquals(parseCommandLine(["-"]).image, "-");
  assertEquals(parseCommandLine(["--", "-x.bin"]).image, "-x.bin");
  assertEquals(parseCommandLine(["007"]).image, "007");
});

Deno.test("help, version and the list of devices need no image", () => {
  assertEquals(parseCommandLine(["--help"]).show, "help");
  assertEquals(parseCommandLine(["-h"]).show, "help");
  assertEquals(parseCommandLine(["--version"]).show, "version");
  assertEquals(parseCommandLine(["--device", "help"]).show, { devices: "kinds" });
  assertEquals(parseCommandLine(["--dump-dtb", "a.dtb"]).image, undefined);
});

Deno.test("a wrong command line is told in one sentence", () => {
  const rows: [args: string[], message: string][] = [
    [[], "no image: expected the name of a flat binary or ELF file, or - for standard input; see --help"],
    [[""], "no image"],
    [["a", "b"], `one image expected, got "a" and "b"`],
    [["--memroy", "1M", "i"], "unknown option --memroy; did you mean --memory?"],
    [["--tracer=x", "i"], "unknown option --tracer; did you mean --trace?"],
    [["-m", "i"], "unknown option -m; --help lists them"],
    [["-memory", "i"], "unknown option -memory; did you mean --memory?"],
    [["--no-trace", "i"], "unknown option --no-trace"],
    [["--series-script=send=x", "i"], "unknown option --series-script"],
    [["--toString", "i"], "unknown option --toString"],
    [["--__proto__=1", "i"], "unknown option --__proto__"],
    [["i", "--memory"], "--memory needs a value: --memory=SIZE"],
    [["--memory=", "i"], "--memory needs a value: --memory=SIZE"],
    [["--memory", "--harts", "2", "i"], "--memory needs a value: --memory=SIZE"],
    [["--memory", "", "i"], "--memory needs a value"],
    [["--trace=", "i"], "--trace needs a value: --trace=FILE"],
    [["--memory", "1M", "--memory=2M", "i"], "--memory is given twice"],
    [["--no-reboot", "--no-reboot", "i"], "--no-reboot is given twice"],
    [["--no-reboot=yes", "i"], `--no-reboot takes no value, got "yes"`],
    [["--memory", "4G", "i"], `--memory: expected a size from 64K to 3G, a multiple of 4K bytes, such as 1M, got "4G"`],
    [["--memory", "128", "i"], `got "128"`],
    [["--harts", "9", "i"], `--harts: expected a whole number from 1 to 8, got "9"`],
    [["--isa", "rv64gcv", "i"], "--isa: ISA rv64gcv: unknown extension v"],
    [["--isa", "rv128i", "i"], "--isa: ISA string must look like rv64imac, got rv128i"],
    [["--isa", "rv64imaq", "i"], "--isa: ISA rv64imaq: unknown extension q"],
    [
      ["--engine", "interpretor", "i"],
      `--engine: expected reference, interpreter or auto, got "interpretor"; did you mean interpreter?`,
    ],
    [["--engine", "translator", "i"], `--engine: expected reference, interpreter or auto, got "translator"`],
    [["--virtio-version", "3", "i"], `--virtio-version: expected 1 or 2, got "3"`],
    [["--stdin", "tty", "i"], `--stdin: expected uart or virtio, got "tty"`],
    [["--stdin", "virtio", "--no-default-devices", "i"], "--stdin virtio: the machine has no virtio console"],
    [["--trace-format", "text", "i"], "--trace-format text needs --trace"],
    [["--trace-format", "commit", "--trace-devices", "i"], "--trace-format commit needs --trace"],
    [["--trace-filter", "pc=main", "--trace-devices", "i"], "--trace-filter needs --trace"],
    [["--trace", "--trace-format", "json", "i"], `expected text, commit or jsonl, got "json"; did you mean jsonl?`],
    [["--trace=x", "--trace-devices=x", "i"], "--trace and --trace-devices would both write x"],
    [["--timeout", "0", "i"], `--timeout: expected a time above 0 in s`],
    [["--timeout-insns", "many", "i"], `--timeout-insns: expected a whole number from 1 up`],
    [["--seed", "-1", "i"], `--seed: expected a whole number from 0 to 4294967295, got "-1"`],
    [["--send", "\\q", "i"], "--send: expected text in which a backslash begins one of"],
    [["--drive", "a,slot=1", "--device", "rng,slot=1", "i"], "slot 1 is taken twice"],
    [["--kernel", "k", "i"], "i and --kernel: an image is what runs first; give it as --bios i"],
    [["--bios", "b", "i"], "i and --bios: an image is what runs first; give one of them"],
    [["--bios", "none"], "--bios none has nothing to start: expected --kernel or --flash"],
    [["--bios", "b", "--initrd", "r"], "--initrd needs --kernel"],
    [["--kernel", "-"], "--kernel: expected the name of a file, as only IMAGE can be standard input"],
    [["--flash=a", "--flash=b", "--flash=c"], "--flash is given 3 times: there are 2 banks"],
    [["--rtc", "2026-13-01", "i"], `--rtc: expected host or a date from 1970 on, such as 2026-01-01`],
    [["--rtc", "yesterday", "i"], `got "yesterday"`],
    [["--nonsense=x", "i"], "unknown option --nonsense"],
  ];
  for (const [args, message] of rows) assertThrows(() => parseCommandLine(args), UsageError, message, args.join(" "));
});

Deno.test("normalising leaves parseArgs nothing to guess", () => {
  assertEquals(normalise(["--memory", "1M", "i", "--trace", "--send", "=x", "--", "-y"]), [
    "--memory=1M",
    "--trace",
    "--series-script=send==x",
    "--",
    "i",
    "-y",
  ]);
});
