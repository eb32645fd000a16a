// Prints what the official parser says of an AsyncAPI document, a line each: severity, place, words.
const { Parser, fromFile } = require("@asyncapi/parser");

fromFile(new Parser(), process.argv[2])
  .parse()
  .then(({ diagnostics }) => {
    for (const one of diagnostics) console.log(`${one.severity} ${one.path.join(".")}: ${one.message}`);
  });
