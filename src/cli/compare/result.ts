import type { DriverName, Technique } from '../../contract/techniques.ts';
import type { MeasureId } from './measures.ts';

/** What was measured of one technique, by measure; what is absent was not reached. */
export type Values = Partial<Record<MeasureId, Value>>;

export type Value =
  | { readonly value: number; readonly samples: readonly number[] }
  /** Why there is no number. */
  | { readonly value: null; readonly reason: string };

export interface Subject {
  readonly technique: Technique;
  readonly name: string;
  readonly driver: DriverName;
  /** `unavailable`: this host cannot run it. `failed`: it was begun and broke off. */
  readonly state: 'measured' | 'failed' | 'unavailable';
  readonly reason: string;
  readonly remedy: string;
  readonly advantages: string;
  readonly limits: string;
  readonly values: Values;
}

export interface Host {
  readonly node: string;
  readonly version: string;
  readonly distribution: string;
  readonly kernel: string;
  readonly processor: string;
  readonly cpus: number;
  readonly memoryTotal: number;
  readonly memoryAvailable: number;
}

/** The whole comparison, as --json prints it. */
export interface Comparison {
  /** RFC 3339. */
  readonly measuredAt: string;
  readonly seconds: number;
  readonly quick: boolean;
  readonly image: string;
  /** Of each VPS: processors, bytes, bytes. */
  readonly limits: { readonly cpus: number; readonly memory: number; readonly disk: number };
  readonly host: Host;
  readonly measures: readonly {
    readonly id: MeasureId;
    readonly title: string;
    readonly unit: string;
    readonly better: 'more' | 'less';
    readonly how: string;
  }[];
  readonly techniques: readonly Subject[];
}

export const numberOf = (subject: Subject, id: MeasureId): number | undefined =>
  subject.values[id]?.value ?? undefined;
