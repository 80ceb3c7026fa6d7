/** The page of a suspended flow. */
import "./go-on";
