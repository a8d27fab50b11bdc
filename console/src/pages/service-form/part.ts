import type { Faults } from './checks';
import type { ServiceForm } from './form';

/** What every part of the form gets. */
export interface PartProps {
  form: ServiceForm;
  /** Lays new values over the form. */
  change: (values: Partial<ServiceForm>) => void;
  /** What is wrong, once the person has tried to go on. */
  faults: Faults;
}
