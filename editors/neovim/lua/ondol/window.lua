--- The window for a list of lines, such as an explanation.
local api = vim.api
local M = {}

--- Shows lines in a new window. The buffer cannot be changed and is deleted when the window is closed. `q` closes it.
---@param title string
---@param lines string[]
---@return integer buffer
function M.open(title, lines)
  vim.cmd('botright new')
  local buffer = api.nvim_get_current_buf()
  vim.bo[buffer].buftype, vim.bo[buffer].bufhidden, vim.bo[buffer].swapfile = 'nofile', 'wipe', false
  pcall(api.nvim_buf_set_name, buffer, 'ondol://' .. title)
  api.nvim_buf_set_lines(buffer, 0, -1, false, lines)
  vim.bo[buffer].modifiable = false
  vim.wo.wrap, vim.wo.linebreak = true, true
  api.nvim_win_set_height(0, math.max(3, math.min(#lines, math.floor(vim.o.lines / 2))))
  vim.keymap.set('n', 'q', '<Cmd>close<CR>', { buffer = buffer, desc = 'Close this window' })
  return buffer
end

return M
