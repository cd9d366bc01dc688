/** The gallery of wrong drivers: every image, in the order of its document. */
import { bases, type Mistake } from "./mistake.ts";
import { memoryMistakes } from "./memory.ts";
import { packedMistakes } from "./packed_rings.ts";
import { queueMistakes } from "./queues.ts";
import { registerMistakes } from "./registers.ts";
import { requestMistakes } from "./requests.ts";
import { ringMistakes } from "./rings.ts";
import { stallMistakes } from "./stalls.ts";
import { statusMistakes } from "./status.ts";

/** Mistakes by what they are about. */
export const galleryGroups: readonly { readonly title: string; readonly mistakes: readonly Mistake[] }[] = [
  { title: "Registers and interrupts", mistakes: registerMistakes },
  { title: "Status and features", mistakes: statusMistakes },
  { title: "Queues and notifications", mistakes: queueMistakes },
  { title: "Split rings", mistakes: ringMistakes },
  { title: "Packed rings", mistakes: packedMistakes },
  { title: "Memory that both sides use", mistakes: memoryMistakes },
  { title: "Requests", mistakes: requestMistakes },
  { title: "Stalls", mistakes: stallMistakes },
];

/** Every wrong driver. */
export const mistakes: readonly Mistake[] = galleryGroups.flatMap((group) => group.mistakes);

/** Names of all images of `images/gallery/`: the mistakes, and what they are mistakes of. */
export const galleryNames: readonly string[] = [
  ...bases.map(({ name }) => `correct_${name}`),
  ...mistakes.map(({ name }) => name),
];
