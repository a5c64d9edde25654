// Saves, loads and goes on while the working directory is another at every turn.
import { linear, loadModel, sequential } from "carillon";

const here = process.cwd();
const model = sequential(linear(2, 1)).initialize(1);
const [first, second] = [model.save("first.bin"), model.save("second.bin"), model.save("first.bin")];
process.chdir("/");
await Promise.all([first, second]);
process.chdir(here);
const loading = loadModel("first.bin");
process.chdir("/");
await loading;
process.chdir(here);
const again = model.load("second.bin");
process.chdir("/");
await again;
