import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { MetricsServer, ServeOptions } from '../../src/engine/http.js';
import { serveMetrics } from '../../src/engine/http.js';
import { RunMeters } from '../../src/engine/meters.js';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});

async function serve(
  options: Partial<ServeOptions> = {},
  meters = new RunMeters('test'),
): Promise<MetricsServer> {
  const server = await serveMetrics(meters, { port: 0, isReady: () => true, isLive: () => true, ...options });
  open.push(server);
  return server;
}

/** Sends bytes as they are and gives all that comes back until the connection ends. */
async function raw(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.setEncoding('utf8').on('data', (data: string) => {
    answer += data;
  });
  socket.write(bytes);
  await once(socket, 'close');
  return answer;
}

describe('the metrics server', () => {
  it('shows the metrics as they are now, in the text format', async () => {
    const meters = new RunMeters('des-pass');
    const { url } = await serve({}, meters);
    meters.window('ok', 3);
    const response = await fetch(`${url}metrics`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await response.text()).toContain('skypass_windows_total{pipeline="des-pass",outcome="ok"} 3\n');
  });

  it('answers /live and /ready as it is told, each time anew', async () => {
    let isReady = false;
    const { url } = await serve({ isReady: () => isReady, isLive: () => !isReady });
    expect([(await fetch(`${url}ready`)).status, (await fetch(`${url}live`)).status]).toEqual([503, 200]);
    isReady = true;
    expect([(await fetch(`${url}ready`)).status, (await fetch(`${url}live`)).status]).toEqual([200, 503]);
  });

  it('has an index that names its pages', async () => {
    const { url } = await serve();
    const index = await (await fetch(`${url}?from=browser`)).text();
    for (const page of index.match(/^\/\w+$/gm) ?? [])
      expect((await fetch(new URL(page, url))).status).toBe(200);
    expect(index).toContain('/metrics\n');
  });

  it('refuses other pages and other methods, and gives HEAD no body', async () => {
    const { url } = await serve();
    expect((await fetch(`${url}toString`)).status).toBe(404);
    expect((await fetch(`${url}../etc/passwd`)).status).toBe(404);
    const post = await fetch(`${url}metrics`, { method: 'POST', body: 'x'.repeat(1000) });
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    const head = await fetch(`${url}live`, { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '5', '']);
  });

  it('survives what is no HTTP', async () => {
    const { url, port } = await serve();
    expect(await raw(port, 'GET\r\n\r\n')).toMatch(/^HTTP\/1.1 400 /);
    expect(await raw(port, `GET / HTTP/1.1\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`)).toMatch(
      /^HTTP\/1.1 4\d\d /,
    );
    expect(await raw(port, 'GET //[ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')).toMatch(
      /^HTTP\/1.1 404 /,
    );
    expect((await fetch(`${url}live`)).status).toBe(200);
  });

  it('answers 500 when the metrics cannot be read, and goes on', async () => {
    const meters = new RunMeters('test');
    meters.text = () => Promise.reject(new Error('broken meter'));
    const { url } = await serve({}, meters);
    const response = await fetch(`${url}metrics`);
    expect([response.status, await response.text()]).toEqual([500, 'Error: broken meter\n']);
    expect((await fetch(`${url}live`)).status).toBe(200);
  });

  it('takes the next port when the one asked for is busy', async () => {
    const first = await serve();
    const second = await serve({ port: first.port });
    expect(second.port).toBeGreaterThan(first.port);
    expect((await fetch(`${second.url}live`)).status).toBe(200);
  });

  it('says which ports it tried when none can be had', async () => {
    const holder = createServer().listen(65_535, '127.0.0.1');
    await Promise.race([once(holder, 'listening'), once(holder, 'error')]);
    open.push(holder);
    await expect(serve({ port: 65_535 })).rejects.toMatchObject({
      code: 'config_invalid',
      message: expect.stringMatching(/cannot serve metrics on 127\.0\.0\.1, port 65535: .*EADDRINUSE/),
      hint: expect.stringContaining('--metrics-port'),
    });
    await expect(serve({ port: 99_999 })).rejects.toMatchObject({ code: 'config_invalid' });
    await expect(serve({ host: '192.0.2.1' })).rejects.toMatchObject({ code: 'config_invalid' });
  });

  it('ends kept-alive connections when it closes, and closes twice without harm', async () => {
    const server = await serve();
    const socket = connect(server.port, '127.0.0.1');
    socket.write('GET /live HTTP/1.1\r\nHost: a\r\n\r\n');
    await once(socket, 'data');
    const closed = once(socket, 'close');
    await server.close();
    await closed;
    await server.close();
    await expect(fetch(`${server.url}live`)).rejects.toThrow();
  });
});
