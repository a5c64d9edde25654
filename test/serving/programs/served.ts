// A predictor in a thread: answers, with one call under way when the code comes to its end; nothing is closed. Prints the answers.
import { linear, relu, sequential } from "carillon";

const model = sequential(linear(64, 512), relu(), linear(512, 2)).initialize(1);
const predictor = model.predictor();
const x = new Float32Array(64 * 200).fill(0.5);
const first = await predictor.submit(x.subarray(0, 64));
predictor.submit(x).then(({ data }) => {
  const alike = data.every((value, at) => value === first.data[at % 2]);
  process.stdout.write(`${data.length} ${alike}`);
});
