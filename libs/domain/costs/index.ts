export {
  type CellInventory,
  type Cost,
  type CostItem,
  cellCost,
  requestsAnswered,
  shareOf,
  totalCost,
} from './cost.ts'
export { formatMicro } from './decimal.ts'
export { type PriceTable, readPriceTable } from './prices.ts'
