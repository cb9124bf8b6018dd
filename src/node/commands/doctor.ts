import type { Command } from 'commander';
import packageJson from '../../../package.json' with { type: 'json' };
import { formatBytes } from '../../analysis/quantities.ts';
import { DeviceError } from '../../engine/errors.ts';
import type { AdapterReport } from '../../engine/gpu/gpu.ts';
import { describeAdapter } from '../../engine/gpu/open.ts';
import { findAdapter, NoAdapterError } from '../gpu.ts';
import type { AdapterAttempt } from '../gpu.ts';
import type { CommandContext } from './context.ts';

/** What `doctor --json` prints. */
interface Diagnosis {
  readonly laminar: string;
  readonly node: string;
  readonly platform: string;
  readonly adapter: AdapterReport | null;
  /** The ways to an adapter that were tried, in order; the last one succeeded if there is an adapter. */
  readonly attempts: readonly AdapterAttempt[];
  readonly limits: Readonly<Record<string, number>>;
  readonly features: readonly string[];
  readonly advice: string;
}

/** The limits that decide what a model may need. */
const LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupsPerDimension',
] as const;

/** `laminar doctor`: which adapter computes, why that one, what it can do, and how to get a better one. */
export function addDoctorCommand(program: Command, _context: CommandContext): void {
  program
    .command('doctor')
    .description('say which GPU computes and why, what it can do, and what to do about it')
    .option('--json', 'print JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const diagnosis = await diagnose();
      process.stdout.write(json ? `${JSON.stringify(diagnosis, null, 2)}\n` : describe(diagnosis));
      if (!diagnosis.adapter) throw new DeviceError(`no WebGPU adapter; ${diagnosis.advice}`);
    });
}

async function diagnose(): Promise<Diagnosis> {
  const machine = {
    laminar: packageJson.version,
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
  };
  try {
    const { adapter, attempts } = await findAdapter();
    const report = describeAdapter(adapter);
    return {
      ...machine,
      adapter: report,
      attempts,
      limits: Object.fromEntries(LIMITS.map((name) => [name, adapter.limits[name]])),
      features: [...adapter.features].sort(),
      advice: report.software ? advice() : 'nothing to do: a hardware GPU computes',
    };
  } catch (error) {
    if (!(error instanceof NoAdapterError)) throw error;
    return {
      ...machine,
      adapter: null,
      attempts: error.attempts,
      limits: {},
      features: [],
      advice: advice(),
    };
  }
}

/** How to get a (better) adapter on this platform. */
function advice(): string {
  if (process.platform !== 'linux') return "install or update the GPU's driver";
  return (
    "with a GPU, install its Vulkan driver (NVIDIA's own, or mesa-vulkan-drivers for AMD and Intel) and the loader " +
    'libvulkan1, in a container pass the GPU through; without one, Mesa 25 or newer computes about three times as ' +
    'fast as the bundled SwiftShader'
  );
}

function describe({ adapter, attempts, limits, features, advice, ...machine }: Diagnosis): string {
  const lines = [`laminar   ${machine.laminar} on Node ${machine.node}, ${machine.platform}`];
  if (adapter) {
    lines.push(
      `adapter   ${adapter.description}`,
      `vendor    ${adapter.vendor || 'unknown'}, architecture ${adapter.architecture || 'unknown'}`,
      `software  ${adapter.software ? 'yes: the CPU plays the GPU' : 'no'}`,
    );
  } else lines.push('adapter   none');
  for (const { way, outcome } of attempts) lines.push(`tried     ${way}: ${outcome}`);
  for (const [name, value] of Object.entries(limits)) {
    lines.push(
      `limit     ${name} ${name.endsWith('Size') && value >= 1e6 ? `${value} (${formatBytes(value)})` : value}`,
    );
  }
  if (features.length > 0) lines.push(`features  ${features.join(', ')}`);
  lines.push(`advice    ${advice}`);
  return `${lines.join('\n')}\n`;
}
