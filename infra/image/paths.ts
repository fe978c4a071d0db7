/** Where the images have what units and settings name. */
export const productFolder = '/opt/aqueduct/product'
export const programFolder = '/opt/aqueduct/bin'
/** Amazon's CAs for RDS: what every connection to a database is verified with. */
export const rdsCaFile = '/etc/aqueduct/rds-ca.pem'
