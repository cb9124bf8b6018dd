import { DeviceError } from '../errors.ts';
import { deviceFault } from './device-call.ts';
import { Gpu } from './gpu.ts';
import type { AdapterReport, GpuOptions } from './gpu.ts';
import { keepMatrixShapes, MATRIX_FEATURE, matrixShapesOf } from './subgroup-matrices.ts';

/** Features that a kernel or the benchmark can use; asked for where the adapter has them. */
const USEFUL_FEATURES: readonly GPUFeatureName[] = ['timestamp-query', 'subgroups'];

/** Those of subgroup matrices, and of the F16 in them. */
const MATRIX_FEATURES: readonly GPUFeatureName[] = [MATRIX_FEATURE, 'shader-f16'];

/** Limits that are worth having beyond WebGPU's portable defaults. */
const USEFUL_LIMITS = ['maxBufferSize', 'maxStorageBufferBindingSize'] as const;

/** Names under which the CPU plays the GPU. */
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|warp|basic render/i;

/**
 * Opens a device on an adapter that the caller chose, with the adapter's own buffer limits.
 * @throws DeviceError if the adapter will not give a device.
 */
export async function openAdapter(adapter: GPUAdapter, options: GpuOptions = {}): Promise<Gpu> {
  const requiredLimits = Object.fromEntries(USEFUL_LIMITS.map((name) => [name, adapter.limits[name]]));
  const matrices = options.subgroupMatrices ? matrixShapesOf(adapter) : [];
  const features = matrices.length > 0 ? [...USEFUL_FEATURES, ...MATRIX_FEATURES] : USEFUL_FEATURES;
  const requiredFeatures = features.filter((feature) => adapter.features.has(feature));
  const report = describeAdapter(adapter);
  const device = await adapter.requestDevice({ requiredLimits, requiredFeatures }).catch((cause: unknown) => {
    throw new DeviceError(`the adapter ${report.description} gave no device: ${String(cause)}`, {
      code: 'device-refused',
      cause,
    });
  });
  keepMatrixShapes(device, matrices);
  return new Gpu(device, report, options, true);
}

export interface BrowserGpuOptions extends Omit<GpuOptions, 'memoryLimit'> {
  /** Bytes, or a function that computes them from the adapter. */
  readonly memoryLimit?: number | ((adapter: AdapterReport) => number);
}

/**
 * Opens the browser's GPU.
 * @throws DeviceError if the browser has no WebGPU or offers no adapter.
 */
export async function openBrowserGpu({
  memoryLimit = Infinity,
  ...options
}: BrowserGpuOptions = {}): Promise<Gpu> {
  const gpu = (globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu;
  if (!gpu) {
    throw new DeviceError(
      'this browser has no WebGPU; use a current Chrome, Edge, Firefox or Safari over https',
      { code: 'webgpu-missing' },
    );
  }
  const adapter = await gpu
    .requestAdapter({ powerPreference: 'high-performance' })
    .catch((cause: unknown) => {
      throw deviceFault('name an adapter', cause);
    });
  if (!adapter) {
    throw new DeviceError(
      'the browser offers no WebGPU adapter; check that hardware acceleration is switched on',
      { code: 'adapter-missing' },
    );
  }
  const bytes = typeof memoryLimit === 'function' ? memoryLimit(describeAdapter(adapter)) : memoryLimit;
  return openAdapter(adapter, { ...options, memoryLimit: bytes });
}

/**
 * Wraps a device that the caller made and still owns: `dispose()` does not destroy it. Errors of the caller's own calls
 * stay with the caller.
 */
export function useDevice(device: GPUDevice, options: GpuOptions = {}): Gpu {
  return new Gpu(device, reportOf(device.adapterInfo), options);
}

/** What report.json says of the adapter. */
export function describeAdapter(adapter: GPUAdapter): AdapterReport {
  return reportOf(adapter.info);
}

function reportOf(info: GPUAdapterInfo): AdapterReport {
  const { vendor, architecture, description, device } = info;
  const isSoftware =
    info.isFallbackAdapter || SOFTWARE.test(`${vendor} ${architecture} ${description} ${device}`);
  // Browsers do not tell the description.
  const name = description || device || `${vendor} ${architecture}`.trim();
  return { vendor, architecture, description: name, software: isSoftware };
}
