import {
  adam,
  type Examples,
  embedding,
  fit,
  layerNorm,
  linear,
  mse,
  network,
  ops,
  relu,
  residual,
  sequential,
  spec,
  standardize,
} from "carillon";
import { ARTICLES, CITIES, DAYS, type Sales } from "./sales.js";

/** A table with categories: rows of embeddings beside the numbers, then blocks that add to what they were given. */
function makeForecast() {
  const block = () => residual(layerNorm(64), linear(64, 64), relu(), linear(64, 64));
  return network({
    inputs: {
      city: spec(["batch"], "i32"),
      article: spec(["batch"], "i32"),
      day: spec(["batch"], "i32"),
      numbers: spec(["batch", 2]),
    },
    layers: {
      cities: embedding(CITIES, 6),
      articles: embedding(ARTICLES, 8),
      days: embedding(DAYS, 3),
      body: sequential(linear(6 + 8 + 3 + 2, 64), relu(), block(), block(), layerNorm(64), linear(64, 1)),
    },
    forward({ city, article, day, numbers }, { cities, articles, days, body }) {
      return body(ops.concat([cities(city), articles(article), days(day), numbers]));
    },
  });
}

/** How long to train, and which numbers a run draws. */
export interface Training {
  readonly epochs: number;
  readonly seed: number;
}

/** Root of the mean squared error of the validation set, and its epoch. */
export interface Progress {
  readonly epoch: number;
  readonly rmse: number;
}

/** A network with embeddings that has learned from sales; `tell` hears of every epoch. */
export async function learnSales(
  data: Sales,
  validation: Sales,
  { epochs, seed }: Training,
  tell: (progress: Progress) => void = () => undefined,
) {
  const model = makeForecast();
  const inputs = { numbers: standardize() };
  const run = fit(model, {
    data,
    validation,
    loss: mse(),
    inputs,
    optimizer: adam({ lr: 0.003 }),
    metrics: ["rmse"],
    batchSize: 64,
    epochs,
    seed,
  });
  for await (const event of run) {
    if (event.kind === "epoch") tell({ epoch: event.epoch, rmse: event.validation.metrics.rmse });
  }
  return model;
}

/** The same rows with the codes of the categories as numbers, which have no order that means anything. */
function asNumbers({ x, y }: Sales): Examples {
  const rows = Array.from(y, (_, row) => [
    x.city[row] ?? 0,
    x.article[row] ?? 0,
    x.day[row] ?? 0,
    ...x.numbers.subarray(2 * row, 2 * row + 2),
  ]);
  return { x: rows, y };
}

/** What a network of the same width makes of codes as numbers: the error of the validation set. */
export async function learnCodes(data: Sales, validation: Sales, { epochs, seed }: Training): Promise<number> {
  const model = sequential(linear(5, 64), relu(), linear(64, 64), relu(), linear(64, 1));
  const inputs = standardize();
  await fit(model, {
    data: asNumbers(data),
    loss: mse(),
    inputs,
    optimizer: adam({ lr: 0.003 }),
    batchSize: 64,
    epochs,
    seed,
  });
  const { metrics } = await model.evaluate(asNumbers(validation), { loss: mse(), metrics: ["rmse"] });
  return metrics.rmse;
}
