// Nobody waits for the run: it keeps the process alive, and nothing does afterwards. `import` only imports.
import { adam, crossEntropy, fit, linear, sequential } from "carillon";
import { clusters } from "../synthetic.js";

process.on("exit", (code) => process.stdout.write(`exit ${code}\n`));
if (process.argv[2] !== "import") {
  const model = sequential(linear(32, 10));
  const run = fit(model, { data: clusters(500, 32, 10), loss: crossEntropy(), optimizer: adam(), epochs: 400 });
  run.then(({ step }) => process.stdout.write(`step ${step}\n`));
}
