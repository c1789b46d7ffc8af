// Reads lines of JSON {"bytes": base64, "encoding": name} and writes for each one line of JSON
// {"text", "code_pages", "qr", "barcodes", "pictures", "cuts", "pulses", "error"}.
// npos takes the bytes apart and iconv-lite knows the code pages; neither comes from the project that is tested.
'use strict';

const path = require('path');
const readline = require('readline');
const library = path.join(process.argv[2], 'node_modules');
const iconv = require(path.join(library, 'iconv-lite'));
const Parser = require(path.join(library, 'npos/lib/parser'));
const rules = require(path.join(library, 'npos/lib/parser/rules'));
const raster = require(path.join(library, 'npos/lib/codecs/raster'));

const GS = 0x1d;
// Commands that npos has no rule for: QR codes, and the choice between two command sets of one make.
rules[GS]['(k'] = [0, 'd16'];
rules[GS]['\u00f9 '] = 1;

function isCommand(node, ascii, fn) {
  return node.ascii === ascii && node.fn === fn;
}

function picture(raw, node) {
  // The parser has noted size and place of the dots in the node.
  const image = raster.decode(raw, [node]);
  const dots = [];
  for (let y = 0; y < image.height; y++) {
    let row = '';
    for (let x = 0; x < image.width; x++) row += image.getPixel(x, y) ? '0' : '1';
    dots.push(row);
  }
  return dots;
}

async function decode(request) {
  const raw = Buffer.from(request.bytes, 'base64');
  const ast = await new Parser(require(path.join(library, 'npos/lib/parser/ruler')).normalize(rules)).parse(raw);
  const bytesOf = (node) => raw.subarray(node.offset, node.offset + node.length);
  const all = (ascii, fn) => ast.tree.filter((node) => isCommand(node, ascii, fn));
  const text = Buffer.concat(ast.tree.filter((node) => node.ascii === 'STX').map(bytesOf));
  return {
    text: iconv.decode(text, request.encoding),
    code_pages: all('ESC', 't').map((node) => bytesOf(node)[2]),
    qr: all('GS', '(k').map(bytesOf).filter((bytes) => bytes[6] === 0x50).map((bytes) => {
      return bytes.subarray(8, 5 + bytes.readUInt16LE(3)).toString('utf8');
    }),
    barcodes: all('GS', 'k').map(bytesOf).map((bytes) => bytes.subarray(4, 4 + bytes[3]).toString('latin1')),
    pictures: all('GS', 'v0').map((node) => picture(raw, node)),
    cuts: all('GS', 'V').length,
    pulses: all('ESC', 'p').length,
  };
}

(async () => {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    let answer;
    try {
      answer = await decode(JSON.parse(line));
    } catch (error) {
      answer = { error: String(error) };
    }
    console.log(JSON.stringify(answer));
  }
})();
