// Writes to the path that it is given for as long as it lives.
import { writeFileAtomic } from "../../../lib/io/file.js";

function* forever(): Generator<Uint8Array> {
  for (;;) yield Uint8Array.of(68);
}

await writeFileAtomic(process.argv[2] ?? "", forever());
