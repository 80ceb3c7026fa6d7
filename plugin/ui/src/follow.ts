/** The page of a flow that is on its way, for who may steer it. */
import "./go-on";
import "./steer";
