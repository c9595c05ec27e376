// What the pages say of the project is there: each requirement of this stage has a row that names tests, those tests exist
// (tests of C++ by `Suite.Name` are structure.docs_name_real_tests' part), and the table of modules is that of the build.
import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import path from "node:path";
import { describe, test } from "node:test";
import { documentNames, readPage, root } from "./support/documents.mjs";

const testFiles = (await readdir(path.join(root, "tests"), { recursive: true })).filter((name) => !name.includes("node_modules")).map((name) => `tests/${name}`);
const endingIn = (name) => testFiles.filter((file) => file === name || file.endsWith(`/${name}`));

// `name_test.cpp`, `name.test.mjs`, `tests/folder`, fuzz_name: the files that are meant; none where there is no such thing.
function meant(name) {
  if (name.startsWith("fuzz_")) return endingIn(`${name.slice(5)}_fuzz.cpp`);
  if (name.endsWith("*")) return testFiles.filter((file) => file.startsWith(name.slice(0, -1)));
  return endingIn(name);
}

const mention = /“([^”]+)”|`?((?<![\w/])tests\/[\w./*-]+|\w+_(?:test|conformance)\.[ch]pp|\w+\.test\.mjs|\bfuzz_\w+)`?/g;

// The names of files of tests in a text, and which names of tests stand behind which of them.
function mentions(text) {
  const found = [];
  for (const [, quoted, file] of text.matchAll(mention)) {
    if (file) found.push({ file: file.replace(/[./]$/, ""), quoted: [] });
    else if (found.length > 0) found.at(-1).quoted.push(quoted.replace(/ ?…$/, ""));
  }
  return found;
}

async function holds(files, quoted) {
  for (const file of files) {
    const text = await readFile(path.join(root, file), "utf8");
    const titles = file.endsWith(".mjs") ? [...text.matchAll(/^\s*(?:test|describe)\(\s*["`](.*)["`],/gm)] : [...text.matchAll(/^TEST(?:_[FP])?\(\w+,\s*\w+\)/gm)];
    if (titles.some(([title]) => title.includes(quoted))) return true;
  }
  return false;
}

const rowsOf = (page) => [...page.matchAll(/^\| ([A-Z]\d+) \| (.*) \| (.*) \| (.*) \|$/gm)].map(([, id, , state, shown]) => ({ id, state, shown }));
const firstStage = { C: 6, N: 4, S: 5, G: 9, L: 6, A: 7, F: 9, E: 5, O: 7 };   // F11 too; what comes behind is the second stage

describe("names", () => {
  test("each file of tests that a page names is there, and holds the tests that are quoted with it", async () => {
    let checked = 0;
    for (const name of await documentNames())
      for (const line of (await readPage(name)).split("\n"))
        for (const { file, quoted } of mentions(line)) {
          const files = meant(file);
          assert.ok(files.length > 0, `${name}: there is no ${file}`);
          if (!line.startsWith("| ")) continue;
          for (const one of quoted) assert.ok(await holds(files, one), `${name}: ${file} has no test “${one}”`);
          checked += quoted.length;
        }
    assert.ok(checked > 20);
  });

  test("each requirement of this stage has one row, is built, and names tests", async () => {
    const rows = rowsOf(await readPage("docs/requirements.md"));
    const ids = Object.entries(firstStage).flatMap(([letter, last]) => Array.from({ length: last }, (_, at) => `${letter}${at + 1}`));
    for (const id of [...ids, "F11"]) {
      const [row, ...more] = rows.filter((one) => one.id === id);
      assert.ok(row && more.length === 0, `${id}: one row`);
      assert.match(row.state, /\b(built|written)\b/, id);
      assert.match(row.shown, /`[A-Z]\w+\.(\w+|\*)`|_test\.cpp|\.test\.mjs|tests\//, id);
    }
  });

  test("the table of modules says what each may include as CMakeLists.txt does", async () => {
    const built = new Map([...(await readPage("CMakeLists.txt")).matchAll(/^dure_module\((\w+)(?:\s+DEPENDS ([a-z ]+?))?(?: EXTERNAL .*)?\)/gm)]
      .map(([, name, depends]) => [name, (depends ?? "").split(" ").filter(Boolean).sort()]));
    const table = new Map([...(await readPage("docs/architecture.md")).matchAll(/^\| \d \| (\w+) \|[^|]*\| ([^|]*)/gm)]
      .map(([, name, allowed]) => [name, (allowed.split(/[;*]/)[0].match(/[a-z]+/g) ?? []).sort()]));
    assert.ok(built.size > 20);
    assert.deepEqual([...table.keys()].sort(), [...built.keys()].sort());
    for (const [name, depends] of built)
      if (table.get(name)[0] !== "all") assert.deepEqual(table.get(name), depends, name);
  });
});
