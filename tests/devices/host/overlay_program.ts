/** Writes to an overlay for ever and says so, until it is killed: `overlay_program.ts BASE OVERLAY SEED`. */
import { openOverlay } from "../../../devices/host/overlay_file.ts";
import { Random } from "../../support/random.ts";

if (import.meta.main) {
  const [base = "", overlay = "", seed = "0"] = Deno.args;
  const say = (text: string): void => void Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
  const { disk } = openOverlay(overlay, base);
  const random = new Random(Number(seed));
  for (let value = Number(seed) + 1;; value++) {
    const block = random.below(16);
    const sector = new Uint8Array(512);
    const view = new DataView(sector.buffer);
    view.setUint32(0, value, true);
    view.setUint32(4, value ^ 0x5a5a, true);
    view.setUint32(508, value ^ 0x5a5a, true);
    say(`w ${block} ${value}`);
    disk.write(block * 512, sector);
    if (random.below(3) === 0) {
      disk.flush();
      say("f");
    }
  }
}
