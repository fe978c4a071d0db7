import { migrate } from '#libs/store'
import { testMasterKey } from './master-key.ts'

/** Brings the template database to the schema that every test file starts from. Leaves no connection behind. */
export async function prepareTemplate(adminUrl: string): Promise<void> {
  await migrate({ adminUrl, masterKey: testMasterKey })
}
