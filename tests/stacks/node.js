// Node's tls, as node-postgres and postgres.js use it.
const net = require('net'), tls = require('tls'), fs = require('fs');
const [port, host, roots] = process.argv.slice(2);
console.log('version', 'node', process.versions.node.split('.')[0]);
async function shake(demand) {
  return new Promise((done) => {
    const raw = net.connect(+port, '127.0.0.1', () => raw.write(Buffer.from([0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f])));
    raw.once('error', (error) => done(error.message));
    raw.once('data', () => {
      const options = { socket: raw, host, rejectUnauthorized: demand !== 'none' };
      if (!net.isIP(host)) options.servername = host;
      if (demand !== 'none') options.ca = fs.readFileSync(roots, 'utf8');
      if (demand === 'chain') options.checkServerIdentity = () => undefined;
      let secure;
      try { secure = tls.connect(options, () => { done('ok'); secure.destroy(); }); } catch (error) { return done(error.message); }
      secure.once('error', (error) => { done(`${error.message} [${error.code}]`); raw.destroy(); });
      secure.once('close', () => done('closed'));
    });
  });
}
(async () => {
  for (const demand of ['none', 'chain', 'name']) console.log(`node\t${demand}\t${await shake(demand)}`);
  process.exit(0);
})();
