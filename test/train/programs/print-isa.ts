// Prints the instruction set in use and the hash of a training.
import { runtime } from "carillon";
import { trainSmall } from "./train-small.js";

console.log(runtime.isa, await trainSmall(2));
