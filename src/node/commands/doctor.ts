import type { Command } from 'commander';
import packageJson from '../../../package.json' with { type: 'json' };
import { jsonText } from '../../analysis/json.ts';
import { formatBytes } from '../../analysis/quantities.ts';
import type { AdapterReport } from '../../engine/gpu/gpu.ts';
import { describeAdapter, openAdapter } from '../../engine/gpu/open.ts';
import { describeTuning } from '../../engine/gpu/tuning.ts';
import type { Tuning } from '../../engine/gpu/tuning.ts';
import { adapterLine } from '../../engine/gpu/verdicts.ts';
import { AdapterMemory } from '../adapter-memory.ts';
import { findAdapter, NoAdapterError } from '../gpu.ts';
import type { AdapterAttempt, FoundAdapter } from '../gpu.ts';
import { explainChoices } from '../kernel-choices.ts';
import type { KernelChoice, KnownSelfTest } from '../kernel-choices.ts';
import { isSwiftShaderInstalled, SOFTWARE_PACKAGE } from '../software-gpu.ts';
import { printText } from '../terminal.ts';
import type { CommandContext } from './context.ts';

/** What `doctor --json` prints. */
interface Diagnosis {
  readonly laminar: string;
  readonly node: string;
  readonly platform: string;
  readonly adapter: AdapterReport | null;
  /** The ways to an adapter that were tried, in order; the last one succeeded if there is an adapter. */
  readonly attempts: readonly AdapterAttempt[];
  /** Where the packaged software GPU lies unpacked, and the better places that could not be used; null if not needed. */
  readonly driver_cache: FoundAdapter['driverCache'];
  readonly limits: Readonly<Record<string, number>>;
  readonly features: readonly string[];
  /** How Laminar computes on a device of the adapter. */
  readonly decisions: Tuning | null;
  /** Which kernels that means, and why. */
  readonly choices: readonly KernelChoice[];
  readonly self_tests: readonly KnownSelfTest[];
  /** The files in which self-tests and choices are remembered. */
  readonly memory: readonly string[];
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
export function addDoctorCommand(program: Command, context: CommandContext): void {
  const { terminal } = context;
  program
    .command('doctor')
    .description('say which GPU computes and why, what it can do, and what to do about it')
    .option(
      '--forget',
      'first forget what is remembered of adapters: self-tests, and what bench --tune chose',
    )
    .option('--json', 'print JSON')
    .action(async ({ json, forget }: { json?: boolean; forget?: boolean }) => {
      if (forget) {
        const files = await new AdapterMemory().forget();
        terminal.notice(files.length > 0 ? `removed ${files.join(' and ')}` : 'nothing was remembered');
      }
      const diagnosis = await diagnose(context);
      const { decisions } = diagnosis;
      const inJson = { ...diagnosis, decisions: decisions && decisionsForJson(decisions) };
      printText(json ? jsonText(inJson, 'doctor') : describe(diagnosis));
      if (!diagnosis.adapter) throw new NoAdapterError(diagnosis.attempts);
    });
}

/**
 * JSON has no word for a decision without a bound, nor for one that a device leaves no choice in, such as the size of
 * subgroups where there are none: each is null there.
 */
export function decisionsForJson(decisions: Tuning): unknown {
  return JSON.parse(
    JSON.stringify(decisions, (_, value: unknown) => (value === undefined ? null : value)),
  ) as unknown;
}

async function diagnose({ subgroupMatrices, terminal }: CommandContext): Promise<Diagnosis> {
  const machine = {
    laminar: packageJson.version,
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
  };
  try {
    const { adapter, attempts, driverCache } = await findAdapter({ subgroupMatrices });
    const report = describeAdapter(adapter);
    const limits = Object.fromEntries(LIMITS.map((name) => [name, adapter.limits[name]]));
    const features = [...adapter.features].sort();
    // Decisions follow the device that Laminar opens, not the adapter.
    const memory = new AdapterMemory();
    const kept = await memory.choicesOf(adapterLine(report, adapter.info));
    using gpu = await openAdapter(adapter, {
      subgroupMatrices,
      ...(kept && { choices: kept.options }),
      onNotice: (line) => {
        terminal.notice(line);
      },
    });
    const { choices, selfTests } = await explainChoices(gpu, memory);
    return {
      ...machine,
      adapter: report,
      attempts,
      driver_cache: driverCache,
      limits,
      features,
      decisions: gpu.tuning,
      choices,
      self_tests: selfTests,
      memory: await memory.files(),
      advice: report.software ? adviceAfter(attempts) : 'nothing to do: a hardware GPU computes',
    };
  } catch (error) {
    if (!(error instanceof NoAdapterError)) throw error;
    return {
      ...machine,
      adapter: null,
      attempts: error.attempts,
      driver_cache: null,
      limits: {},
      features: [],
      decisions: null,
      choices: [],
      self_tests: [],
      memory: await new AdapterMemory().files(),
      advice: adviceAfter(error.attempts),
    };
  }
}

/** How to get a (better) adapter on this platform, after what the ways to one gave. */
function adviceAfter(attempts: readonly AdapterAttempt[]): string {
  if (process.platform !== 'linux') return "install or update the GPU's driver";
  const installed = attempts[0]?.outcome ?? '';
  const first = /not installed$/.test(installed)
    ? "with a GPU, install the loader libvulkan1 and the GPU's Vulkan driver (NVIDIA's own, or mesa-vulkan-drivers for AMD and Intel)"
    : /^(crashed|failed)/.test(installed)
      ? 'the installed driver fails: update it, or let VK_DRIVER_FILES name the description of another'
      : "with a GPU, install or update its Vulkan driver (NVIDIA's own, or mesa-vulkan-drivers for AMD and Intel)";
  const without =
    isSwiftShaderInstalled() === false
      ? `run npm install ${SOFTWARE_PACKAGE}: it contains SwiftShader, which computes on the CPU (slow); Mesa 25 or newer does, too`
      : 'Mesa 25 or newer may compute faster than SwiftShader';
  return `${first}; in a container pass the GPU through; without a GPU, ${without}`;
}

function describe({
  adapter,
  attempts,
  driver_cache: cache,
  limits,
  features,
  decisions,
  choices,
  self_tests: selfTests,
  memory,
  advice,
  ...machine
}: Diagnosis): string {
  const lines = [`laminar   ${machine.laminar} on Node ${machine.node}, ${machine.platform}`];
  if (adapter) {
    lines.push(
      `adapter   ${adapter.description}`,
      `vendor    ${adapter.vendor || 'unknown'}, architecture ${adapter.architecture || 'unknown'}`,
      `software  ${adapter.software ? 'yes: the CPU plays the GPU' : 'no'}`,
    );
  } else lines.push('adapter   none');
  for (const { way, outcome, said } of attempts) {
    lines.push(`tried     ${way}: ${outcome}`, ...said.map((line) => `          it said: ${line.trim()}`));
  }
  if (cache) {
    lines.push(
      `cache     ${cache.folder}`,
      ...cache.refused.map((reason) => `          not used: ${reason}`),
    );
  }
  for (const [name, value] of Object.entries(limits)) {
    lines.push(
      `limit     ${name} ${name.endsWith('Size') && value >= 1e6 ? `${value} (${formatBytes(value)})` : value}`,
    );
  }
  if (features.length > 0) lines.push(`features  ${features.join(', ')}`);
  if (decisions) lines.push(...describeTuning(decisions).map((line) => `decision  ${line}`));
  lines.push(
    ...choices.map(({ decision, option, why }) => `kernel    ${decision}: ${option} (${WHY[why]})`),
    ...selfTests.map(({ check, date, fault }) => `self-test ${check}: ${outcomeOf(date, fault)}`),
    ...memory.map((file) => `memory    ${file}; laminar doctor --forget removes it`),
  );
  lines.push(`advice    ${advice}`);
  return `${lines.join('\n')}\n`;
}

const WHY: Readonly<Record<KernelChoice['why'], string>> = {
  default: 'the default for such a device',
  remembered: 'chosen by bench --tune --remember',
  asked: 'as --subgroup-matrices asks',
  'self-test': 'because a self-test failed',
};

function outcomeOf(date: string | null, fault: string | null): string {
  if (date === null) return 'not made yet; it is made when the kernel is first used';
  return fault === null ? `passed on ${date}` : `failed on ${date}: ${fault}`;
}
