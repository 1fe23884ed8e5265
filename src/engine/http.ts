/** The process's own window to the outside: `/metrics`, `/live`, `/ready` and an index of them. */
import { once } from 'node:events';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { EngineError } from './errors.js';
import type { RunMeters } from './meters.js';

export interface ServeOptions {
  /** First port tried; 0 takes any free one. Default 9464, the port of OpenMetrics exporters. */
  readonly port?: number;
  /** Address to listen on. Default 127.0.0.1: nothing outside this machine can ask. */
  readonly host?: string;
  /** Whether the pass is running. Asked by `/ready`. */
  readonly isReady: () => boolean;
  /** Whether the process still works as it should. Asked by `/live`. */
  readonly isLive: () => boolean;
}

export interface MetricsServer extends AsyncDisposable {
  /** The port that was free. */
  readonly port: number;
  readonly url: string;
  /** Stops listening and ends every connection, idle or not. */
  close(): Promise<void>;
}

/** How many ports after the first are tried, so that the tasks of one machine find one each. */
const portsTried = 100;

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly type?: string;
}

/**
 * Serves the meters over HTTP. A busy port is passed over for the next free one, up to 100 further.
 *
 * @throws {EngineError} `config_invalid` when no port can be had, saying which were tried
 */
export async function serveMetrics(meters: RunMeters, options: ServeOptions): Promise<MetricsServer> {
  const { port: first = 9464, host = '127.0.0.1', isReady, isLive } = options;
  const routes: Readonly<Record<string, () => Answer | Promise<Answer>>> = {
    '/': () => ({ status: 200, body: `skypass: ${meters.pipeline}\n\n/metrics\n/live\n/ready\n` }),
    '/metrics': async () => ({ status: 200, body: await meters.text(), type: meters.registry.contentType }),
    '/live': () => (isLive() ? { status: 200, body: 'live\n' } : { status: 503, body: 'not live\n' }),
    '/ready': () => (isReady() ? { status: 200, body: 'ready\n' } : { status: 503, body: 'not ready\n' }),
  };

  const server = createServer(answerWith(routes));
  server.on('clientError', (_error, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
    else socket.destroy();
  });

  // A connection that cannot be accepted (no file descriptor left) is the client's loss, not the end of the pass.
  server.on('error', () => {});

  const last = first === 0 ? 0 : Math.min(first + portsTried, 65_535);
  for (let port = first; ; port += 1) {
    try {
      server.listen(port, host);
      await once(server, 'listening');
      break;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === 'EADDRINUSE' && port < last) continue;
      const tried = port === first ? `port ${port}` : `ports ${first} to ${port}`;
      throw new EngineError('config_invalid', `cannot serve metrics on ${host}, ${tried}: ${message}`, {
        hint: 'choose another --metrics-port; 0 takes any free one',
        cause: error,
      });
    }
  }

  const { port } = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  };
  const name = host.includes(':') ? `[${host}]` : host;
  return { port, url: `http://${name}:${port}/`, close, [Symbol.asyncDispose]: close };
}

function answerWith(routes: Readonly<Record<string, () => Answer | Promise<Answer>>>): RequestListener {
  const answer = async ({ method, url }: IncomingMessage): Promise<Answer> => {
    const [path = '/'] = (url ?? '/').split('?');
    const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
    if (route === undefined) return { status: 404, body: 'no such page\n' };
    if (method !== 'GET' && method !== 'HEAD') return { status: 405, body: 'only GET\n' };
    return route();
  };
  return (request: IncomingMessage, response: ServerResponse) => {
    request.resume();
    answer(request)
      .catch((error: unknown): Answer => ({ status: 500, body: `${String(error)}\n` }))
      .then(({ status, body, type = 'text/plain; charset=utf-8' }) => {
        response.writeHead(status, {
          'content-type': type,
          'content-length': Buffer.byteLength(body),
          'cache-control': 'no-store',
          ...(status === 405 ? { allow: 'GET, HEAD' } : {}),
        });
        response.end(request.method === 'HEAD' ? undefined : body);
      })
      .catch(() => response.destroy());
  };
}
