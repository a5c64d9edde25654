// Prints how many threads compute at once in this process.
import { runtime } from "carillon";

console.log(runtime.threads);
