// Serves better-auth's own handler, and nothing around it: node server.mjs HOST:PORT DATABASE SETTINGS
import { createServer } from 'node:http';
import { toNodeHandler } from 'better-auth/node';
import { open } from './auth.mjs';

const [address, path, settings] = process.argv.slice(2);
const [host, port] = address.split(':');
const { auth } = open(path, { baseURL: `http://${address}`, ...JSON.parse(settings) });
createServer(toNodeHandler(auth)).listen(Number(port), host);
