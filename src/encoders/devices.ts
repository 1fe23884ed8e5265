/** Where an encoder can run, whether that is possible here, and how to make it possible. */
import { existsSync, readdirSync, readlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative } from 'node:path';
import type { InferenceSession } from 'onnxruntime-node';
import { EngineError } from '../engine/errors.js';

export const deviceNames = ['cpu', 'webgpu', 'cuda'] as const;
export type DeviceName = (typeof deviceNames)[number];

const onnxRuntimeFolder = dirname(dirname(createRequire(import.meta.url).resolve('onnxruntime-node')));
const installScript = relative('.', join(onnxRuntimeFolder, 'script', 'install.js'));

/**
 * What makes a device available. CUDA's provider is fetched by onnxruntime-node's install script, run directly:
 * package.json keeps npm from running it, and `npm rebuild` then does nothing and reports success.
 */
const remedies: Readonly<Record<DeviceName, string>> = {
  cpu: 'reinstall onnxruntime-node with `npm ci`',
  cuda: `fetch the CUDA 12 provider with \`node ${installScript} --onnxruntime-node-install=cuda12\`, or use device: cpu`,
  webgpu:
    'install a Vulkan driver for your GPU (Debian: `apt install libvulkan1 mesa-vulkan-drivers`), or use device: cpu',
};

/** An error that says why a device cannot be used and the command that mends it. */
export const unavailable = (device: DeviceName, reason: string, cause?: unknown): EngineError =>
  new EngineError('device_unavailable', `device ${device} cannot be used: ${reason}`, {
    hint: remedies[device],
    cause,
  });

/**
 * Checks names as people write them. ONNX Runtime drops names it does not know and runs on the CPU instead.
 *
 * @throws EngineError `device_unavailable`
 */
export function checkDevice(name: string): DeviceName | 'auto' {
  const known = [...deviceNames, 'auto'] as const;
  const found = known.find((device) => device === name);
  if (found !== undefined) return found;
  throw new EngineError(
    'device_unavailable',
    `no device is called "${name}"; there are ${known.join(', ')}`,
    {
      hint: 'set the device to one of these',
    },
  );
}

/**
 * Why a device cannot be had, as far as that is seen without opening a session; undefined when nothing
 * speaks against it.
 *
 * @param isForAuto `auto` takes WebGPU on real hardware only: a software Vulkan is a hundred times slower than the CPU
 */
export function obstacle(device: DeviceName, isForAuto = false): string | undefined {
  if (device === 'cuda') return cudaObstacle();
  if (device === 'webgpu' && isForAuto) return graphicsObstacle();
  return undefined;
}

/** Trying CUDA without its provider prints to the console, so its library is looked for first. */
function cudaObstacle(): string | undefined {
  const library =
    process.platform === 'win32' ? 'onnxruntime_providers_cuda.dll' : 'libonnxruntime_providers_cuda.so';
  const folder = join(onnxRuntimeFolder, 'bin', 'napi-v6', process.platform, process.arch);
  return existsSync(join(folder, library))
    ? undefined
    : `${library} is not installed beside onnxruntime-node`;
}

/** How every session is opened: one operator after the other, and no thread that spins while it waits. */
export const sessionOptions = (device: DeviceName, threads: number): InferenceSession.SessionOptions => ({
  executionProviders: [device],
  intraOpNumThreads: threads,
  interOpNumThreads: 1,
  executionMode: 'sequential',
  graphOptimizationLevel: 'all',
  logSeverityLevel: 3,
  extra: { session: { intra_op: { allow_spinning: '0' }, inter_op: { allow_spinning: '0' } } },
});

/** Kernel drivers that stand for no GPU. */
const virtualDrivers = new Set(['vgem', 'vkms', 'virtio-pci', 'bochs-drm', 'cirrus', 'simpledrm']);
const softwareVulkan = /swiftshader|lvp|lavapipe|llvmpipe/i;

function graphicsObstacle(): string | undefined {
  if (process.platform !== 'linux') return undefined;
  const chosen = process.env.VK_DRIVER_FILES ?? process.env.VK_ICD_FILENAMES ?? '';
  if (softwareVulkan.test(chosen)) return `its Vulkan driver is software (${basename(chosen)})`;
  if (existsSync('/dev/nvidia0') || existsSync('/dev/dxg')) return undefined;
  return renderDrivers().some((driver) => !virtualDrivers.has(driver)) ? undefined : 'there is no GPU';
}

/** Names of the kernel drivers behind /dev/dri/renderD*. */
function renderDrivers(): string[] {
  const folder = '/sys/class/drm';
  if (!existsSync(folder)) return [];
  const nodes = readdirSync(folder).filter((node) => node.startsWith('renderD'));
  return nodes.flatMap((node) => {
    try {
      return [basename(readlinkSync(join(folder, node, 'device', 'driver')))];
    } catch {
      return [];
    }
  });
}
