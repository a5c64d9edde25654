// What a thread does that reads and writes HDF5: a program of its own, whose text is handed to it. So it uses nothing of this module but types, and whatever the file does to the library
// ends with the thread.

/** What the library says of a dataset. */
export interface Described {
  readonly path: string;
  /** 0: integers, 1: floats, others by the numbers of HDF5. */
  readonly type: number;
  readonly size: number;
  readonly signed: boolean;
  readonly littleEndian: boolean;
  readonly shape: readonly number[] | null;
  readonly chunks: readonly number[] | null;
  readonly filters: readonly number[];
}

/** A dataset that is written: f32. */
export interface Written {
  readonly path: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** What the thread is asked, each with a number under which it answers. */
export type Asked = { readonly id: number } & (
  | { readonly kind: "begin" }
  | { readonly kind: "open"; readonly bytes: Uint8Array; readonly most: number }
  | { readonly kind: "read"; readonly path: string; readonly bytes: number }
  | { readonly kind: "write"; readonly datasets: readonly Written[] }
);

/** What it answers: a value, or why there is none. */
export type Answered = { readonly id: number } & ({ readonly value: unknown } | { readonly refused: string });

/** The parts of h5wasm that are used. */
interface Library {
  readonly ready: Promise<Module>;
  readonly File: new (
    name: string,
    mode: "r" | "w",
  ) => Group & { close(): unknown; readonly file_id: bigint; readonly filename: string };
}

interface Module {
  readonly FS: {
    writeFile(name: string, bytes: Uint8Array): void;
    readFile(name: string): Uint8Array;
    unlink(name: string): void;
  };
  HEAPU8: Uint8Array;
  _malloc(bytes: number): number;
  _free(at: number): void;
  get_dataset_data(file: bigint, path: string, count: null, offset: null, strides: null, at: bigint): number;
}

interface Group {
  readonly type: string;
  keys(): string[];
  get(name: string): unknown;
  create_group(name: string): unknown;
  create_dataset(options: { name: string; data: Float32Array; shape: readonly number[]; dtype: "<f" }): unknown;
}

interface Dataset {
  readonly type: string;
  readonly metadata: {
    readonly type: number;
    readonly size: number;
    readonly signed: boolean;
    readonly littleEndian: boolean;
    readonly shape: readonly number[] | null;
    readonly chunks: readonly number[] | null;
  };
  readonly filters: readonly { readonly id: number }[];
}

/** Where the thread is told the library's address, and how it says things. */
export interface Port {
  on(event: "message", heard: (asked: Asked) => void): void;
  postMessage(answered: Answered, transfer?: readonly ArrayBuffer[]): void;
}

/** Serves what it is asked. `load` imports the library. */
export function serve(port: Port, load: () => Promise<unknown>): void {
  const DEEPEST = 32;
  let library: { readonly h5: Library; readonly module: Module } | undefined;
  let opened: InstanceType<Library["File"]> | undefined;
  let files = 0;

  const loaded = async (): Promise<{ readonly h5: Library; readonly module: Module }> => {
    if (library !== undefined) return library;
    const imported = (await load()) as Library & { readonly default?: Library };
    const h5 = imported.default ?? imported;
    library = { h5, module: await h5.ready };
    return library;
  };

  const list = (group: Group, prefix: string, depth: number, left: { count: number }, found: Described[]): void => {
    if (depth > DEEPEST) throw new Error("groups that are more than 32 deep");
    for (const name of group.keys()) {
      left.count -= 1;
      if (left.count < 0) throw new Error("more entries than limits.tensors");
      const entry = group.get(name) as { readonly type?: string } | null;
      const path = `${prefix}${name}`;
      if (entry?.type === "Group") list(entry as Group, `${path}/`, depth + 1, left, found);
      else if (entry?.type === "Dataset") {
        const { metadata, filters } = entry as Dataset;
        const { type, size, signed, littleEndian, shape, chunks } = metadata;
        found.push({
          path,
          type,
          size,
          signed,
          littleEndian,
          shape: shape ?? null,
          chunks: chunks ?? null,
          filters: filters.map(({ id }) => id),
        });
      } else throw new Error(`'${path}', which is ${entry?.type ?? "nothing"}`);
    }
  };

  const answer = async (asked: Asked): Promise<readonly [value: unknown, transfer: readonly ArrayBuffer[]]> => {
    const { h5, module } = await loaded();
    if (asked.kind === "begin") return [undefined, []];
    if (asked.kind === "open") {
      // The library knows files by their names and keeps them while they are open.
      opened?.close();
      if (opened !== undefined) module.FS.unlink(opened.filename);
      opened = undefined;
      files += 1;
      const name = `/${files}.h5`;
      module.FS.writeFile(name, asked.bytes);
      const file = new h5.File(name, "r");
      if (file.file_id < 0n) throw new Error("no HDF5 file");
      opened = file;
      const found: Described[] = [];
      list(file, "", 0, { count: 4 * asked.most + 1000 }, found);
      return [found, []];
    }
    if (asked.kind === "read") {
      if (opened === undefined) throw new Error("no open file");
      const at = module._malloc(asked.bytes);
      if (at === 0) throw new Error(`${asked.bytes} bytes, for which there is no memory`);
      try {
        const status = module.get_dataset_data(opened.file_id, `/${asked.path}`, null, null, null, BigInt(at));
        if (status < 0) throw new Error("data that the library cannot read");
        const bytes = module.HEAPU8.slice(at, at + asked.bytes) as Uint8Array<ArrayBuffer>;
        return [bytes, [bytes.buffer]];
      } finally {
        module._free(at);
      }
    }
    files += 1;
    const out = `/${files}.h5`;
    const file = new h5.File(out, "w");
    const groups = new Set<string>();
    for (const { path, shape, data } of asked.datasets) {
      const parts = path.split("/");
      for (let depth = 1; depth < parts.length; depth++) {
        const group = parts.slice(0, depth).join("/");
        if (groups.has(group)) continue;
        groups.add(group);
        file.create_group(group);
      }
      file.create_dataset({ name: path, data, shape, dtype: "<f" });
    }
    file.close();
    const bytes = Uint8Array.from(module.FS.readFile(out));
    module.FS.unlink(out);
    return [bytes, [bytes.buffer]];
  };

  port.on("message", (asked) => {
    answer(asked).then(
      ([value, transfer]) => port.postMessage({ id: asked.id, value }, transfer),
      (cause: unknown) =>
        port.postMessage({ id: asked.id, refused: String(Reflect.get(Object(cause), "message") ?? cause) }),
    );
  });
}
