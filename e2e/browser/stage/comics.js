// A folder of comics on disk, whose covers are drawn.

import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

/** Writes archives of one page and a ComicInfo.xml each: paths below the folder, a `.cbz` of each series and number. */
const SCRIPT = `
import json, struct, sys, zipfile, zlib

def picture(red, green, blue, width=120, height=180):
    part = lambda name, data: struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    row = b"\\0" + bytes((red, green, blue)) * width
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\\x89PNG\\r\\n\\x1a\\n" + part(b"IHDR", head) + part(b"IDAT", zlib.compress(row * height)) + part(b"IEND", b"")

for comic in json.load(sys.stdin):
    with zipfile.ZipFile(comic["file"], "w") as archive:
        archive.writestr("001.png", picture(*comic["colour"]))
        archive.writestr("ComicInfo.xml", "<ComicInfo><Series>%s</Series><Number>%d</Number><Year>2012</Year></ComicInfo>"
            % (comic["series"], comic["number"]))
`.replaceAll("\\\\", "\\");

/** A temporary folder; `write` adds comics to it. */
export class Comics {
  constructor() {
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), "greenroom-comics-"));
  }

  /** Writes issues `from` to `to` of a series. */
  write(series, from, to) {
    fs.mkdirSync(path.join(this.folder, series), { recursive: true });
    const comics = [];
    for (let number = from; number <= to; number++) {
      const file = path.join(this.folder, series, `${series} ${number}.cbz`);
      comics.push({ file, series, number, colour: [(number * 53) % 256, (series.length * 31) % 256, (number * 17) % 256] });
    }
    const { status, stderr } = spawnSync("python3", ["-c", SCRIPT], { input: JSON.stringify(comics), encoding: "utf8" });
    if (status !== 0) throw new Error(`the comics cannot be written: ${stderr}`);
  }

  rename(from, to) {
    fs.renameSync(path.join(this.folder, from), path.join(this.folder, to));
  }

  remove(file) {
    fs.rmSync(path.join(this.folder, file));
  }

  end() {
    fs.rmSync(this.folder, { recursive: true, force: true });
  }
}
