// A client's certificate and key as node-postgres loads them.
const tls = require('tls'), fs = require('fs');
const [cert, key] = process.argv.slice(2);
let said = 'ok';
try {
  tls.createSecureContext({ cert: fs.readFileSync(cert).toString(), key: fs.readFileSync(key).toString() });
} catch (error) { said = error.message + (error.code ? ` [${error.code}]` : ''); }
console.log(`node-postgres\t${said}`);
