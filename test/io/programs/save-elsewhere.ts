// Saves, loads and goes on while the working directory is another at every turn.
import { fit, linear, loadModel, mse, sequential, sgd } from "carillon";

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
process.chdir(here);
const options = { data: { x: [[1, 2]], y: [[3]] }, loss: mse(), optimizer: sgd({ lr: 0.1 }) };
await fit(model, { ...options, steps: 2, checkpoint: { dir: "." } });
const resumed = fit(model, { ...options, steps: 3, resume: "step-000000002.safetensors" });
process.chdir("/");
await resumed;
