const { Writable } = require("node:stream");

module.exports = () => new Writable({ write: (_chunk, _encoding, done) => done() });
