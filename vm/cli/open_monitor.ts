/** The monitor, joined to the terminal: loaded when somebody wants it. */
import { writeStderr } from "./errors.ts";
import { OutputFile } from "./files.ts";
import type { HostConsole } from "./host_console.ts";
import { LineEditor } from "./line_editor.ts";
import { Monitor } from "./monitor.ts";
import type { MonitorEnd } from "./monitor_commands.ts";
import { filesOf } from "./permission.ts";
import type { ReportContext } from "./report.ts";
import type { Settings } from "./settings.ts";

/** A monitor, and the keyboard that it is given while it has the machine. */
export interface OpenMonitor {
  /** Takes commands until the guest is to go on, or the run to end. */
  converse(): Promise<MonitorEnd>;
  /** Lets the guest go on. */
  leave(): void;
  /** Ends its traces. */
  close(): void;
}

/** Makes the monitor; `endTraces` ends those of the command line. */
export function openMonitor(
  settings: Settings,
  context: ReportContext,
  host: HostConsole,
  endTraces: (() => void) | undefined,
): OpenMonitor {
  // Ctrl-C ends what the monitor does, not the run.
  const lines = new LineEditor({ write: writeStderr, onCancel: () => context.machine.stop() });
  const outputs: OutputFile[] = [];
  const open = (file: string): OutputFile => {
    const output = OutputFile.open(file, filesOf(settings).read, outputs);
    outputs.push(output);
    return output;
  };
  const monitor = new Monitor({ context, lines, write: writeStderr, open, endTraces });
  return {
    converse: async () => {
      host.lendKeyboard(lines);
      try {
        return await monitor.converse();
      } finally {
        host.lendKeyboard(undefined, lines.rest());
      }
    },
    leave: () => lines.end(),
    close: () => monitor.close(),
  };
}
