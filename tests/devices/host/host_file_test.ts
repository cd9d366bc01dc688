/** Files of the host: what `file_test.ts` does not see through a disk. */
import { assert, assertEquals } from "@std/assert";
import { HostFile } from "../../../devices/host/host_file.ts";

Deno.test("a file that was locked is unlocked before it is closed, as a process being started may still have it", () => {
  const calls: string[] = [];
  const file = {
    tryLockSync: (exclusive: boolean) => (calls.push(`lock ${exclusive}`), true),
    unlockSync: () => void calls.push("unlock"),
    close: () => void calls.push("close"),
  } as unknown as Deno.FsFile;
  const locked = new HostFile(file, "overlay");
  assert(locked.lock());
  locked.close();
  assertEquals(calls, ["lock true", "unlock", "close"]);
  calls.length = 0;
  new HostFile(file, "disk").close();
  assertEquals(calls, ["close"]);
});
