// Writes one byte to the path that it is given, in a process that may be another user's.
import { writeFileAtomic } from "../../../lib/io/file.js";

await writeFileAtomic(process.argv[2] ?? "", Uint8Array.of(68));
