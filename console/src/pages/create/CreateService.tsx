import Wizard, { type WizardProps } from '@cloudscape-design/components/wizard';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { useNavigate, useSearchParams } from 'react-router';

import { useClients } from '../../aws/clients';
import { useSession } from '../../session/session';
import { useFlash } from '../../shell/flash';
import { InfoLink, usePage } from '../../shell/page';
import { apiFaults, partOf } from '../service-form/apifaults';
import { BuildFields } from '../service-form/BuildPart';
import { check, type Faults, type Part } from '../service-form/checks';
import { useFocusOnFault } from '../service-form/focus';
import type { ServiceForm } from '../service-form/form';
import { ServiceFields } from '../service-form/ServiceFields';
import { SourceFields } from '../service-form/SourceFields';
import { createService } from './createService';
import { helps } from './help';
import { formOfLink } from './link';
import { Review } from './Review';

const words: WizardProps.I18nStrings = {
  stepNumberLabel: (n) => `Step ${String(n)}`,
  collapsedStepsLabel: (n, of) => `Step ${String(n)} of ${String(of)}`,
  navigationAriaLabel: 'Steps',
  cancelButton: 'Cancel',
  previousButton: 'Previous',
  nextButton: 'Next',
  submitButton: 'Create & deploy',
  optional: 'optional',
};

/** A link to the help of a step, beside its heading. */
const info = (step: Part | 'review') => <InfoLink help={helps[step]} about={helps[step].header} />;

/** The parts that the wizard asks for, in order; images have nothing to build. */
function partsOf(form: ServiceForm): Part[] {
  return form.kind === 'code' ? ['source', 'build', 'service'] : ['source', 'service'];
}

/** Creates a service in steps. What is typed stays while the person goes back and forth. */
export default function CreateService() {
  const [query] = useSearchParams();
  const [form, setForm] = useState(() => formOfLink(query));
  const [step, setStep] = useState(0);
  const [tried, setTried] = useState<ReadonlySet<Part>>(new Set());
  const [said, setSaid] = useState<Faults>({});
  const [refused, setRefused] = useState(0);
  useFocusOnFault(refused);
  const navigate = useNavigate();
  const { account } = useSession();
  const parts = partsOf(form);
  usePage('Create service', [{ text: 'Services', href: '/services' }], helps[parts[step] ?? 'review']);

  const change = (values: Partial<ServiceForm>) => {
    setForm((now) => ({ ...now, ...values }));
    setSaid((now) => without(now, Object.keys(values)));
  };
  const create = useCreate(account, setForm, (error) => {
    const faults = apiFaults(error);
    setSaid(faults);
    const first = parts.findIndex((part) => Object.keys(faults).some((field) => partOf(field, form.kind) === part));
    if (first >= 0) setStep(first);
  });

  const go = ({ requestedStepIndex: to }: WizardProps.NavigateDetail) => {
    const wrong = parts.slice(0, to).findIndex((part) => Object.keys(check(part, form)).length > 0);
    const reached = wrong < 0 ? to : wrong;
    setTried((now) => new Set([...now, ...parts.slice(0, reached < to ? reached + 1 : to)]));
    setStep(reached);
    if (reached < to) setRefused((n) => n + 1);
    create.reset();
  };

  const props = (part: Part) => ({ form, change, faults: tried.has(part) ? { ...said, ...check(part, form) } : said });
  const contents: Record<Part, WizardProps.Step> = {
    source: { title: 'Source and deployment', info: info('source'), content: <SourceFields {...props('source')} account={account} /> },
    build: { title: 'Configure build', info: info('build'), content: <BuildFields {...props('build')} /> },
    service: { title: 'Configure service', info: info('service'), content: <ServiceFields {...props('service')} /> },
  };
  const review = { title: 'Review and create', info: info('review'), content: <Review form={form} edit={(part) => { setStep(parts.indexOf(part)); }} /> };
  const steps = [...parts.map((part) => contents[part]), review];
  const refusal = create.error instanceof Error ? create.error.message : undefined;
  return (
    <Wizard
      i18nStrings={words}
      activeStepIndex={step}
      steps={steps.map((s, i) => (i === step && refusal ? { ...s, errorText: refusal } : s))}
      isLoadingNextStep={create.isPending}
      onNavigate={({ detail }) => { go(detail); }}
      onCancel={() => { void navigate('/services'); }}
      onSubmit={() => { create.mutate(form); }}
    />
  );
}

/** Creates the service and opens its dashboard. */
function useCreate(account: string, made: (form: ServiceForm) => void, failed: (error: unknown) => void) {
  const clients = useClients();
  const cache = useQueryClient();
  const flash = useFlash();
  const navigate = useNavigate();
  return useMutation({
    mutationFn: (form: ServiceForm) => createService(clients, form, account, made),
    onError: failed,
    onSuccess: async ({ service, aclError }) => {
      if (aclError instanceof Error) flash({ type: 'warning', header: 'The web ACL is not in front of the service', content: aclError.message });
      void cache.invalidateQueries(); // lists that hold the new service now
      await navigate(`/services/${encodeURIComponent(service.ServiceArn ?? '')}`);
    },
  });
}

/** The faults of fields that are not being changed; "health" stands for all that begins with "health.". */
function without(faults: Faults, changed: readonly string[]): Faults {
  return Object.fromEntries(Object.entries(faults).filter(([field]) => !changed.includes(field.split('.')[0] ?? '')));
}
