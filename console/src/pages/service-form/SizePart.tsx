import ColumnLayout from '@cloudscape-design/components/column-layout';
import FormField from '@cloudscape-design/components/form-field';
import Select from '@cloudscape-design/components/select';

import { cpuLabel, cpuSizes, memoryLabel, sizes } from './limits';
import type { PartProps } from './part';

/** CPU and memory of each instance; memory goes with the CPU when the pair would not be allowed. */
export function SizePart({ form, change, faults }: PartProps) {
  const cpus = cpuSizes.map((value) => ({ value, label: cpuLabel(value) }));
  const memories = (sizes[form.cpu] ?? []).map((value) => ({ value, label: memoryLabel(value) }));
  const choose = (cpu: string) => {
    const allowed = sizes[cpu] ?? [];
    change({ cpu, memory: allowed.includes(form.memory) ? form.memory : (allowed[0] ?? form.memory) });
  };
  return (
    <ColumnLayout columns={2}>
      <FormField label="Virtual CPU" errorText={faults['cpu']}>
        <Select options={cpus} selectedOption={cpus.find((o) => o.value === form.cpu) ?? null} onChange={({ detail }) => { choose(detail.selectedOption.value ?? ''); }} />
      </FormField>
      <FormField label="Virtual memory" errorText={faults['memory']}>
        <Select options={memories} selectedOption={memories.find((o) => o.value === form.memory) ?? null} onChange={({ detail }) => { change({ memory: detail.selectedOption.value ?? '' }); }} />
      </FormField>
    </ColumnLayout>
  );
}
