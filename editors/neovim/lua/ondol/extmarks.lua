--- A layer of extmarks in all buffers. What is drawn in it is no text of a buffer, and undo does not bring it back.
local text = require('ondol.text')
local api = vim.api
local M = {}

--- Makes a layer.
---@param name string the namespace
---@return { namespace: integer, clear: function, mark: function }
function M.layer(name)
  local namespace = api.nvim_create_namespace(name)
  return {
    namespace = namespace,
    clear = function(buffer)
      if api.nvim_buf_is_valid(buffer) then
        api.nvim_buf_clear_namespace(buffer, namespace, 0, -1)
      end
    end,
    mark = function(buffer, row, column, details)
      details.undo_restore, details.strict = false, false
      api.nvim_buf_set_extmark(buffer, namespace, row, column, details)
    end,
  }
end

--- Chunks for lines that are drawn below a line, with tabs as the buffer displays them.
---@param buffer integer
---@param lines string[]
---@param first integer the first of them that is drawn
---@param group string a highlight group
---@return table[]
function M.below(buffer, lines, first, group)
  local tabstop, found = vim.bo[buffer].tabstop, {}
  for index = first, #lines do
    found[#found + 1] = { { text.expand_tabs(lines[index], 0, tabstop), group } }
  end
  return found
end

return M
