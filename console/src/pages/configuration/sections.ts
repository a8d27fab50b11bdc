import type { Part } from '../service-form/checks';

/** The sections of the configuration, by the part of the form that they show. */
export const titles: Readonly<Record<Part, string>> = { source: 'Source and deployment', build: 'Configure build', service: 'Configure service' };
