import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';

const brotli = promisify(brotliCompress);
const zip = promisify(gzip);

/** Writes every file of the bundle in compressed forms to another folder: the program embeds them and sends them as they are. */
export function precompress(to) {
  let from;
  return {
    name: 'precompress',
    apply: 'build',
    configResolved(config) {
      from = path.resolve(config.root, config.build.outDir);
      to = path.resolve(config.root, to);
    },
    async closeBundle() {
      await empty(to);
      const entries = await readdir(from, { recursive: true, withFileTypes: true });
      const files = entries.filter((e) => e.isFile()).map((e) => path.relative(from, path.join(e.parentPath, e.name)));
      // The page comes last: with it the bundle is whole.
      files.sort((a, b) => Number(a === 'index.html') - Number(b === 'index.html'));
      for (const file of files) await compress(path.join(from, file), path.join(to, file));
    },
  };
}

/** Leaves nothing in a folder but the file that keeps it there without a bundle. */
async function empty(folder) {
  await mkdir(folder, { recursive: true });
  const old = (await readdir(folder)).filter((name) => name !== '.keep');
  await Promise.all(old.map((name) => rm(path.join(folder, name), { recursive: true, force: true })));
}

async function compress(file, target) {
  const text = await readFile(file);
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: text.length };
  await mkdir(path.dirname(target), { recursive: true });
  await Promise.all([writeFile(`${target}.br`, await brotli(text, { params })), writeFile(`${target}.gz`, await zip(text, { level: 9 }))]);
}
