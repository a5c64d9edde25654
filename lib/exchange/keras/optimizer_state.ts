// States of Keras' optimizers: numbered variables, behind the number of steps and the learning rate.
import { CarillonError, shortened } from "../../errors.js";
import type { AnyModel, Minimizer } from "../../index.js";
import { broken } from "../../io/refusal.js";
import { extent, formatShape } from "../../tensor/shape.js";
import { placesOf } from "../places.js";
import { floatsOf } from "../reading/elements.js";
import type { TensorFile } from "../reading/tensor_file.js";
import { fits } from "../staged_weights.js";
import type { KerasEntry } from "./weights.js";

/** States of ours in the order of theirs: of each list all parameters follow one another, with the states of the list for each. */
const ORDERS: readonly (readonly (readonly string[])[])[] = [
  [["firstMoment", "secondMoment"], ["maxSecondMoment"]],
  [["firstMoment", "secondMoment"]],
  [["firstMoment", "infinityNorm"]],
  [["secondMoment", "deltaMoment"]],
  [["secondMoment"], ["velocity"], ["mean"]],
  [["secondMoment"], ["velocity"]],
  [["secondMoment"], ["mean"]],
  [["secondMoment"]],
  [["velocity"]],
  [["sumOfSquares"]],
  [["momentum"]],
];

/** States that a minimizer has for a parameter. */
function orderOf(trainer: Minimizer, model: AnyModel): (typeof ORDERS)[number] {
  const names = [...trainer.stateShapes(model).keys()].map((name) => name.slice(0, name.indexOf("/")));
  const states = new Set(names.filter((name) => name !== "average"));
  const found = ORDERS.find(
    (order) => order.flat().length === states.size && order.flat().every((name) => states.has(name)),
  );
  if (found !== undefined) return found;
  throw new CarillonError(
    "ERR_OPTION",
    "loadOptimizerState",
    `expected an optimizer with states for 'loadOptimizerState' but received one of ${[...states].join(", ") || "none"}`,
  );
}

/** Where the variables of an optimizer stand in a file. */
const GROUP = "optimizer/vars/";

/** Takes over the states of a file of Keras: the next step of a program is the next step there. */
export async function takeKerasStates(
  trainer: Minimizer,
  model: AnyModel,
  file: TensorFile,
  entries: readonly KerasEntry[],
): Promise<void> {
  const { where } = file;
  const order = orderOf(trainer, model);
  const parameters = new Set(model.parameters.map(({ name }) => name));
  const trained = entries.filter(({ crossing }) => crossing.ours.some((name) => parameters.has(name)));
  expectOne(model);
  const count = [...file.entries.keys()].filter((name) => name.startsWith(GROUP)).length;
  const expected = 2 + order.flat().length * trained.length;
  if (count !== expected)
    throw broken(
      where,
      `the state of an optimizer of ${expected} variables`,
      count === 0 ? "none: save the model compiled, behind fit()" : `${count}`,
    );
  const states = new Map(
    [...trainer.stateShapes(model)].map(([name, shape]) => [name, new Float32Array(extent(shape))]),
  );
  let next = 2;
  // Of SGD theirs is what is added to a weight, ours what is taken from it.
  const sign = order.flat().join() === "velocity" ? -1 : 1;
  for (const list of order) {
    for (const { crossing } of trained) {
      for (const state of list) {
        const name = `${GROUP}${next++}`;
        const entry = file.entries.get(name);
        if (entry === undefined || !fits(crossing, entry))
          throw broken(
            `${where}: ${name}`,
            `${state} of ${shortened(crossing.theirs, 100)}, ${formatShape(crossing.shape)}`,
            entry === undefined ? "nothing" : formatShape(entry.shape),
          );
        const values = floatsOf(await file.read(name));
        crossing.write(
          sign < 0 ? values.map((value) => -value) : values,
          (ours) => states.get(`${state}/${ours}`) ?? new Float32Array(),
        );
      }
    }
  }
  const steps = (await file.read(`${GROUP}0`)).data[0] ?? 0;
  if (!(Number.isSafeInteger(steps) && steps > 0))
    throw broken(`${where}: ${GROUP}0`, "a number of steps above 0", `${steps}`);
  trainer.restore(model, states, { steps, updates: steps });
}

/** Refuses a GRU whose second bias there is a part of the first one here: squares of gradients are no sums. */
function expectOne(model: AnyModel): void {
  const found = placesOf(model).places.find(
    ({ kind, options }) =>
      kind === "gru" && options?.preset !== "keras" && options?.resetAfter !== false && options?.bias !== false,
  );
  if (found === undefined) return;
  const problem = `expected layers whose parameters are one of Keras' each, such as those of preset: 'keras', for 'loadOptimizerState' but received '${found.path}'`;
  throw new CarillonError("ERR_OPTION", found.path, problem);
}
