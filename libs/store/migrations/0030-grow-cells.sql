-- Operators have cells grow. Which sizes a cell may be given is the domain's to say (libs/domain/cells/size.ts).
grant update (size) on cells to aqueduct_operator;
