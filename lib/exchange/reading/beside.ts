// Files that another file names: in its own folder, so that a model cannot ask for what it was not given with.
import { basename, dirname, resolve, sep } from "node:path";
import { shortened } from "../../errors.js";
import { fileError, fileSystem } from "../../io/file_system.js";
import { broken } from "../../io/refusal.js";

/** Characters of a name that errors show. */
const SHOWN = 100;

/**
 * The path of the file that `where` calls by `name`: within its folder, where that really is, and neither a link nor behind one. `ERR_FILE` otherwise, with `absent` for a
 * file that is not there.
 */
export async function fileBeside(where: string, name: string, absent: string): Promise<string> {
  const place = `${where}: ${shortened(name, SHOWN)}`;
  const refuse = (received: string): never => {
    const shown = shortened(basename(name), SHOWN);
    throw broken(place, "a file within the folder of the model, and no link", `'${shown}', ${received}`);
  };
  const real = async (path: string, expected: string): Promise<string> =>
    await fileSystem()
      .realpath(path)
      .catch((cause: unknown) => {
        throw fileError(where, expected, cause);
      });
  if (name === "" || name.includes("\0") || /^(?:[\\/]|[A-Za-z]:)/.test(name)) refuse("no path within it");
  const folder = await real(dirname(resolve(where)), "a file in a folder that can be read");
  const path = resolve(folder, name);
  if (!path.startsWith(folder.endsWith(sep) ? folder : `${folder}${sep}`)) refuse("which lies outside");
  return (await real(path, absent)) === path ? path : refuse("a link");
}
